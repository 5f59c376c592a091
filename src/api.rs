//! The HTTP API: actix-web, one file a resource.
