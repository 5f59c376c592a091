//! Addresses of Redis and `PostgreSQL`, without their passwords.
//!
//! A configuration is printed, committed and mailed; a password in it would be too. So a URL that carries one is
//! refused with the remedy, and the password is put in by [`RedisUrl::with_password`] on the way to the client.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Secret;

macro_rules! server_url {
    ($(#[$doc:meta])* $name:ident, schemes: $schemes:expr, password_key: $key:literal, local: $local:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The server on this machine, at its usual port.
            #[must_use]
            pub fn local() -> Self {
                Self($local.to_owned())
            }

            /// Parses an address.
            ///
            /// # Errors
            /// A sentence that says what is allowed. A URL that carries a password is not repeated in it.
            pub fn parse(text: &str) -> Result<Self, String> {
                parse(text, &$schemes, $key, $local).map(Self)
            }

            /// The address, which holds no password.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The address with the password in it, for the client alone.
            #[must_use]
            pub fn with_password(&self, password: Option<&Secret>) -> Secret {
                password.map_or_else(|| Secret::new(self.0.clone()), |password| insert_password(&self.0, password))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

server_url!(
    /// `redis://[user@]host[:port][/database]`. TLS (`rediss`) is not built in: a tunnel on the same host is the way.
    RedisUrl,
    schemes: ["redis://"],
    password_key: "log.redis_password_env or stream.redis_password_env",
    local: "redis://127.0.0.1:6379/0"
);
server_url!(
    /// `postgres://[user@]host[:port]/database[?options]`.
    PostgresUrl,
    schemes: ["postgres://", "postgresql://"],
    password_key: "tables.postgres_password_env",
    local: "postgres://apos@127.0.0.1:5432/apos"
);

/// An address that may be left empty.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, RedisUrl, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(in super::super) fn serialize<S: Serializer>(url: &Option<RedisUrl>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(url.as_ref().map_or("", RedisUrl::as_str))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RedisUrl>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() { Ok(None) } else { RedisUrl::parse(&text).map(Some).map_err(serde::de::Error::custom) }
    }
}

fn parse(text: &str, schemes: &[&str], password_key: &str, example: &str) -> Result<String, String> {
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return Err(format!("this must be a URL such as {example}"));
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') || tail.contains("password=") || tail.contains("pass=") {
        let remedy = format!("put it into an environment variable and that variable's name into {password_key}");
        return Err(format!("this URL carries a password: {remedy}"));
    }
    if host.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("this URL names no host: {example} does"));
    }
    Ok(text.to_owned())
}

fn insert_password(url: &str, password: &Secret) -> Secret {
    let password = percent_encoded(password.expose());
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    Secret::new(match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}://{}:{password}{}", &rest[..at], &rest[at..]),
        None => format!("{scheme}://:{password}@{rest}"),
    })
}

/// Every byte but RFC 3986's unreserved ones as `%XX`: a password may hold `@`, `/` or `:`.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in ["redis://:hunter2@db/0", "redis://apos:hunter2@db", "redis://db/0?password=hunter2"] {
            let refused = RedisUrl::parse(url).unwrap_err();
            assert!(refused.contains("environment variable") && !refused.contains("hunter2"), "{refused}");
        }
        assert!(PostgresUrl::parse("postgresql://apos:hunter2@db/apos").unwrap_err().contains("postgres_password_env"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert!(RedisUrl::parse("localhost:6379").unwrap_err().contains("redis://127.0.0.1:6379/0"));
        assert!(RedisUrl::parse("rediss://db").is_err());
        assert!(PostgresUrl::parse("postgres:///apos").unwrap_err().contains("names no host"));
    }

    #[test]
    fn the_password_goes_where_the_client_looks_for_it() {
        let check = |url: &str, password: &str, expected: &str| {
            let parsed = PostgresUrl::parse(url).unwrap();
            assert_eq!(parsed.with_password(Some(&Secret::new(password.to_owned()))).expose(), expected);
        };
        check("postgres://apos@db:5432/apos", "p@ss/w:d", "postgres://apos:p%40ss%2Fw%3Ad@db:5432/apos");
        check("postgres://db/apos?sslmode=disable", "x", "postgres://:x@db/apos?sslmode=disable");
        assert_eq!(RedisUrl::local().with_password(None).expose(), "redis://127.0.0.1:6379/0");
    }
}
