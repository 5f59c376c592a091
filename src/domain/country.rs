//! The names of countries as Hyperswitch writes them in routing rules (`UnitedStatesOfAmerica`), beside their codes.

use super::Country;

/// Every code of ISO 3166-1 alpha-2 with its name, by code.
#[rustfmt::skip]
pub const COUNTRIES: [(&str, &str); 249] = [
    ("AD", "Andorra"), ("AE", "UnitedArabEmirates"), ("AF", "Afghanistan"), ("AG", "AntiguaAndBarbuda"), ("AI", "Anguilla"),
    ("AL", "Albania"), ("AM", "Armenia"), ("AO", "Angola"), ("AQ", "Antarctica"), ("AR", "Argentina"),
    ("AS", "AmericanSamoa"), ("AT", "Austria"), ("AU", "Australia"), ("AW", "Aruba"), ("AX", "AlandIslands"),
    ("AZ", "Azerbaijan"), ("BA", "BosniaAndHerzegovina"), ("BB", "Barbados"), ("BD", "Bangladesh"), ("BE", "Belgium"),
    ("BF", "BurkinaFaso"), ("BG", "Bulgaria"), ("BH", "Bahrain"), ("BI", "Burundi"), ("BJ", "Benin"),
    ("BL", "SaintBarthelemy"), ("BM", "Bermuda"), ("BN", "BruneiDarussalam"), ("BO", "BoliviaPlurinationalState"),
    ("BQ", "BonaireSintEustatiusAndSaba"), ("BR", "Brazil"), ("BS", "Bahamas"), ("BT", "Bhutan"), ("BV", "BouvetIsland"),
    ("BW", "Botswana"), ("BY", "Belarus"), ("BZ", "Belize"), ("CA", "Canada"), ("CC", "CocosKeelingIslands"),
    ("CD", "CongoDemocraticRepublic"), ("CF", "CentralAfricanRepublic"), ("CG", "Congo"), ("CH", "Switzerland"),
    ("CI", "CotedIvoire"), ("CK", "CookIslands"), ("CL", "Chile"), ("CM", "Cameroon"), ("CN", "China"), ("CO", "Colombia"),
    ("CR", "CostaRica"), ("CU", "Cuba"), ("CV", "CaboVerde"), ("CW", "Curacao"), ("CX", "ChristmasIsland"), ("CY", "Cyprus"),
    ("CZ", "Czechia"), ("DE", "Germany"), ("DJ", "Djibouti"), ("DK", "Denmark"), ("DM", "Dominica"),
    ("DO", "DominicanRepublic"), ("DZ", "Algeria"), ("EC", "Ecuador"), ("EE", "Estonia"), ("EG", "Egypt"),
    ("EH", "WesternSahara"), ("ER", "Eritrea"), ("ES", "Spain"), ("ET", "Ethiopia"), ("FI", "Finland"), ("FJ", "Fiji"),
    ("FK", "FalklandIslandsMalvinas"), ("FM", "MicronesiaFederatedStates"), ("FO", "FaroeIslands"), ("FR", "France"),
    ("GA", "Gabon"), ("GB", "UnitedKingdomOfGreatBritainAndNorthernIreland"), ("GD", "Grenada"), ("GE", "Georgia"),
    ("GF", "FrenchGuiana"), ("GG", "Guernsey"), ("GH", "Ghana"), ("GI", "Gibraltar"), ("GL", "Greenland"), ("GM", "Gambia"),
    ("GN", "Guinea"), ("GP", "Guadeloupe"), ("GQ", "EquatorialGuinea"), ("GR", "Greece"),
    ("GS", "SouthGeorgiaAndTheSouthSandwichIslands"), ("GT", "Guatemala"), ("GU", "Guam"), ("GW", "GuineaBissau"),
    ("GY", "Guyana"), ("HK", "HongKong"), ("HM", "HeardIslandAndMcDonaldIslands"), ("HN", "Honduras"), ("HR", "Croatia"),
    ("HT", "Haiti"), ("HU", "Hungary"), ("ID", "Indonesia"), ("IE", "Ireland"), ("IL", "Israel"), ("IM", "IsleOfMan"),
    ("IN", "India"), ("IO", "BritishIndianOceanTerritory"), ("IQ", "Iraq"), ("IR", "IranIslamicRepublic"), ("IS", "Iceland"),
    ("IT", "Italy"), ("JE", "Jersey"), ("JM", "Jamaica"), ("JO", "Jordan"), ("JP", "Japan"), ("KE", "Kenya"),
    ("KG", "Kyrgyzstan"), ("KH", "Cambodia"), ("KI", "Kiribati"), ("KM", "Comoros"), ("KN", "SaintKittsAndNevis"),
    ("KP", "KoreaDemocraticPeoplesRepublic"), ("KR", "KoreaRepublic"), ("KW", "Kuwait"), ("KY", "CaymanIslands"),
    ("KZ", "Kazakhstan"), ("LA", "LaoPeoplesDemocraticRepublic"), ("LB", "Lebanon"), ("LC", "SaintLucia"),
    ("LI", "Liechtenstein"), ("LK", "SriLanka"), ("LR", "Liberia"), ("LS", "Lesotho"), ("LT", "Lithuania"),
    ("LU", "Luxembourg"), ("LV", "Latvia"), ("LY", "Libya"), ("MA", "Morocco"), ("MC", "Monaco"), ("MD", "MoldovaRepublic"),
    ("ME", "Montenegro"), ("MF", "SaintMartinFrenchpart"), ("MG", "Madagascar"), ("MH", "MarshallIslands"),
    ("MK", "MacedoniaTheFormerYugoslavRepublic"), ("ML", "Mali"), ("MM", "Myanmar"), ("MN", "Mongolia"), ("MO", "Macao"),
    ("MP", "NorthernMarianaIslands"), ("MQ", "Martinique"), ("MR", "Mauritania"), ("MS", "Montserrat"), ("MT", "Malta"),
    ("MU", "Mauritius"), ("MV", "Maldives"), ("MW", "Malawi"), ("MX", "Mexico"), ("MY", "Malaysia"), ("MZ", "Mozambique"),
    ("NA", "Namibia"), ("NC", "NewCaledonia"), ("NE", "Niger"), ("NF", "NorfolkIsland"), ("NG", "Nigeria"),
    ("NI", "Nicaragua"), ("NL", "Netherlands"), ("NO", "Norway"), ("NP", "Nepal"), ("NR", "Nauru"), ("NU", "Niue"),
    ("NZ", "NewZealand"), ("OM", "Oman"), ("PA", "Panama"), ("PE", "Peru"), ("PF", "FrenchPolynesia"),
    ("PG", "PapuaNewGuinea"), ("PH", "Philippines"), ("PK", "Pakistan"), ("PL", "Poland"), ("PM", "SaintPierreAndMiquelon"),
    ("PN", "Pitcairn"), ("PR", "PuertoRico"), ("PS", "PalestineState"), ("PT", "Portugal"), ("PW", "Palau"),
    ("PY", "Paraguay"), ("QA", "Qatar"), ("RE", "Reunion"), ("RO", "Romania"), ("RS", "Serbia"), ("RU", "RussianFederation"),
    ("RW", "Rwanda"), ("SA", "SaudiArabia"), ("SB", "SolomonIslands"), ("SC", "Seychelles"), ("SD", "Sudan"),
    ("SE", "Sweden"), ("SG", "Singapore"), ("SH", "SaintHelenaAscensionAndTristandaCunha"), ("SI", "Slovenia"),
    ("SJ", "SvalbardAndJanMayen"), ("SK", "Slovakia"), ("SL", "SierraLeone"), ("SM", "SanMarino"), ("SN", "Senegal"),
    ("SO", "Somalia"), ("SR", "Suriname"), ("SS", "SouthSudan"), ("ST", "SaoTomeAndPrincipe"), ("SV", "ElSalvador"),
    ("SX", "SintMaartenDutchpart"), ("SY", "SyrianArabRepublic"), ("SZ", "Swaziland"), ("TC", "TurksAndCaicosIslands"),
    ("TD", "Chad"), ("TF", "FrenchSouthernTerritories"), ("TG", "Togo"), ("TH", "Thailand"), ("TJ", "Tajikistan"),
    ("TK", "Tokelau"), ("TL", "TimorLeste"), ("TM", "Turkmenistan"), ("TN", "Tunisia"), ("TO", "Tonga"), ("TR", "Turkey"),
    ("TT", "TrinidadAndTobago"), ("TV", "Tuvalu"), ("TW", "TaiwanProvinceOfChina"), ("TZ", "TanzaniaUnitedRepublic"),
    ("UA", "Ukraine"), ("UG", "Uganda"), ("UM", "UnitedStatesMinorOutlyingIslands"), ("US", "UnitedStatesOfAmerica"),
    ("UY", "Uruguay"), ("UZ", "Uzbekistan"), ("VA", "HolySee"), ("VC", "SaintVincentAndTheGrenadines"),
    ("VE", "VenezuelaBolivarianRepublic"), ("VG", "VirginIslandsBritish"), ("VI", "VirginIslandsUS"), ("VN", "Vietnam"),
    ("VU", "Vanuatu"), ("WF", "WallisAndFutuna"), ("WS", "Samoa"), ("YE", "Yemen"), ("YT", "Mayotte"), ("ZA", "SouthAfrica"),
    ("ZM", "Zambia"), ("ZW", "Zimbabwe"),
];

impl Country {
    /// The country of a name such as `Germany`; case does not matter. `None` for a name Hyperswitch does not write.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (code, _) = COUNTRIES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name))?;
        Self::parse(code).ok()
    }

    /// The name of the country; `None` for a code that ISO 3166-1 does not list.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let index = COUNTRIES.binary_search_by(|(code, _)| (*code).cmp(self.code())).ok()?;
        Some(COUNTRIES[index].1)
    }

    /// Whether cards are issued there: a code of ISO 3166-1, or Kosovo's, which that leaves to its users.
    #[must_use]
    pub fn is_assigned(self) -> bool {
        self.name().is_some() || self.code() == "XK"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_code_and_back() {
        assert!(COUNTRIES.is_sorted());
        for (code, name) in COUNTRIES {
            let country = Country::named(&name.to_lowercase()).unwrap();
            assert_eq!((country.code(), country.name()), (code, Some(name)));
        }
        assert_eq!(Country::named("Atlantis"), None);
        assert_eq!(Country::parse("ZZ").unwrap().name(), None);
    }
}
