//! Bundles that mlark writes and reads, and those that the makers of the specification wrote to be judged.

use std::path::PathBuf;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm,
};
use serde_json::Value;

use super::*;

const NOW: &str = "2030-06-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn files() -> Vec<Resource> {
    let file = |name: &str, byte: u8| Resource {
        name: name.to_owned(),
        sha256: [byte; 32],
    };
    vec![
        file("manifest-sha256.txt", 1),
        file("bagit.txt", 2),
        file("sub/é.txt", 3),
    ]
}

fn pair(algorithm: &'static SignatureAlgorithm) -> (KeyPair, SigningKey) {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let key = SigningKey::from_pem(pair.serialize_pem().as_bytes()).unwrap();
    (pair, key)
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2029, 1, 1);
    params.not_after = rcgen::date_time_ymd(2031, 1, 1);
    params
}

fn authority(name: &str, above: Option<&Authority>, constraint: BasicConstraints) -> Authority {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(constraint);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let made = match above {
        None => params.self_signed(&key).unwrap(),
        Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
    };
    Authority {
        certificate: Certificate::from_der(made.der()).unwrap(),
        issuer: Issuer::new(params, key),
    }
}

fn leaf(
    above: &Authority,
    key: &KeyPair,
    edit: impl FnOnce(&mut CertificateParams),
) -> Certificate {
    let mut params = params("signer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    edit(&mut params);
    let made = params.signed_by(key, &above.issuer).unwrap();
    Certificate::from_der(made.der()).unwrap()
}

fn roots(of: &Authority) -> Trust {
    Trust {
        keys: Vec::new(),
        roots: vec![of.certificate.clone()],
    }
}

#[test]
fn a_bundle_by_a_key_is_read_back_with_its_files_in_order() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
        let (_, key) = pair(algorithm);
        let public = PublicKey::from_pem(key.public().to_pem().unwrap().as_bytes()).unwrap();
        assert_eq!(&public, key.public());
        let bundle = Signer::new(key, Vec::new())
            .unwrap()
            .sign("prod", &files(), &["data"])
            .unwrap();
        let trust = Trust {
            keys: vec![public.clone()],
            roots: Vec::new(),
        };
        let (statement, by) = Bundle::parse(&bundle)
            .unwrap()
            .verify(&trust, now())
            .unwrap();
        assert_eq!(by, Signatory::Key(public.hint()));
        let mut sorted = files();
        sorted.sort();
        assert_eq!(statement.files().unwrap(), sorted);
        assert_eq!(statement.subject(), "prod");
        assert!(statement.ignores("data/x") && statement.ignores(".git"));
        assert!(!statement.ignores("database") && !statement.ignores("sub/.git"));
    }
}

#[test]
fn a_key_that_is_not_trusted_and_one_of_another_owner_are_refused() {
    let (_, key) = pair(&PKCS_ED25519);
    let (_, other) = pair(&PKCS_ED25519);
    let bundle = Signer::new(key, Vec::new())
        .unwrap()
        .sign("a", &files(), &[])
        .unwrap();
    let bundle = Bundle::parse(&bundle).unwrap();
    let refused = bundle.verify(&Trust::default(), now()).unwrap_err();
    assert!(
        matches!(refused, Fault::Untrusted { sort: "key", .. }),
        "{refused}"
    );
    let trust = Trust {
        keys: vec![other.public().clone()],
        roots: Vec::new(),
    };
    let refused = bundle.verify(&trust, now()).unwrap_err();
    assert!(
        matches!(refused, Fault::Untrusted { sort: "key", .. }),
        "{refused}"
    );
    let refused = bundle.is_signed_by(other.public()).unwrap_err();
    assert!(matches!(refused, Fault::Signature { .. }), "{refused}");
}

#[test]
fn no_changed_byte_of_a_bundle_passes() {
    let (_, key) = pair(&PKCS_ECDSA_P256_SHA256);
    let trust = Trust {
        keys: vec![key.public().clone()],
        roots: Vec::new(),
    };
    let bundle = Signer::new(key, Vec::new())
        .unwrap()
        .sign("a", &files(), &[])
        .unwrap();
    let good = Bundle::parse(&bundle)
        .unwrap()
        .verify(&trust, now())
        .unwrap()
        .0;
    let mut refused = 0;
    for at in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[at] ^= 1;
        match Bundle::parse(&changed).and_then(|bundle| bundle.verify(&trust, now())) {
            // The key id, the list of log entries and the media type's version say nothing that is signed or used.
            Ok((statement, _)) => assert_eq!(statement, good, "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > bundle.len() * 9 / 10,
        "{refused} of {}",
        bundle.len()
    );
}

#[test]
fn a_chain_over_an_authority_in_between_is_trusted_by_its_root_alone() {
    let root = authority("root", None, BasicConstraints::Unconstrained);
    let between = authority("between", Some(&root), BasicConstraints::Constrained(0));
    let (pair, key) = pair(&PKCS_ECDSA_P256_SHA256);
    let chain = vec![leaf(&between, &pair, |_| ()), between.certificate.clone()];
    let bundle = Signer::new(key, chain)
        .unwrap()
        .sign("a", &files(), &[])
        .unwrap();
    let bundle = Bundle::parse(&bundle).unwrap();
    let (_, by) = bundle.verify(&roots(&root), now()).unwrap();
    assert_eq!(by, Signatory::Certificate("CN=signer".to_owned()));

    let other = authority("root", None, BasicConstraints::Unconstrained);
    for (trust, at) in [
        (Trust::default(), NOW),
        (roots(&other), NOW),
        (roots(&root), "2028-06-01T12:00:00Z"),
    ] {
        let refused = bundle.verify(&trust, at.parse().unwrap()).unwrap_err();
        assert!(
            matches!(
                refused,
                Fault::Untrusted {
                    sort: "certificate",
                    ..
                }
            ),
            "{refused}"
        );
    }
    let late = bundle.verify(&roots(&root), "2031-06-01T12:00:00Z".parse().unwrap());
    assert!(matches!(late, Err(Fault::Expired { .. })), "{late:?}");
}

#[test]
fn certificates_that_may_not_sign_or_issue_are_refused() {
    type Edit = fn(&mut CertificateParams);
    let root = authority("root", None, BasicConstraints::Constrained(0));
    let below = authority("too deep", Some(&root), BasicConstraints::Unconstrained);
    let no_authority = |above: &Authority| {
        let (pair, _) = pair(&PKCS_ECDSA_P256_SHA256);
        let certificate = leaf(above, &pair, |_| ());
        let issuer = Issuer::new(params("signer"), pair);
        Authority {
            issuer,
            certificate,
        }
    };
    let plain = no_authority(&root);
    let cases: [(&Authority, Edit); 4] = [
        (&below, |_| ()),
        (&plain, |_| ()),
        (&root, |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]
        }),
        (&root, |params| {
            let oid = [1, 3, 6, 1, 4, 1, 1];
            let mut unknown = rcgen::CustomExtension::from_oid_content(&oid, vec![5, 0]);
            unknown.set_criticality(true);
            params.custom_extensions.push(unknown);
        }),
    ];
    for (at, (above, edit)) in cases.into_iter().enumerate() {
        let (pair, key) = pair(&PKCS_ECDSA_P256_SHA256);
        let chain = vec![leaf(above, &pair, edit), above.certificate.clone()];
        let bundle = Signer::new(key, chain)
            .unwrap()
            .sign("a", &files(), &[])
            .unwrap();
        let refused = Bundle::parse(&bundle).unwrap().verify(&roots(&root), now());
        assert!(
            matches!(refused, Err(Fault::Untrusted { .. })),
            "case {at}: {refused:?}"
        );
    }
    let (pair, key) = pair(&PKCS_ECDSA_P256_SHA256);
    let code = leaf(&root, &pair, |params| {
        params.key_usages.clear();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    let bundle = Signer::new(key, vec![code])
        .unwrap()
        .sign("a", &files(), &[])
        .unwrap();
    Bundle::parse(&bundle)
        .unwrap()
        .verify(&roots(&root), now())
        .unwrap();
}

#[test]
fn a_certificate_that_ended_is_told_apart_from_one_that_never_counted() {
    let root = authority("root", None, BasicConstraints::Unconstrained);
    let (pair, key) = pair(&PKCS_ECDSA_P256_SHA256);
    let chain = vec![leaf(&root, &pair, |params| {
        params.not_after = rcgen::date_time_ymd(2030, 3, 1);
    })];
    let signer = Signer::new(key, chain).unwrap();
    let bundle = signer.sign("a", &files(), &[]).unwrap();
    let verify = |trust: &Trust, at: &str| {
        let bundle = Bundle::parse(&bundle).unwrap();
        bundle.verify(trust, at.parse().unwrap()).map(drop)
    };
    let trust = roots(&root);
    assert_eq!(verify(&trust, "2030-02-01T00:00:00Z"), Ok(()));
    let Err(Fault::Expired { until, .. }) = verify(&trust, NOW) else {
        panic!("{:?}", verify(&trust, NOW));
    };
    assert_eq!(until.to_string(), "2030-03-01T00:00:00Z");
    // When the root has ended too, the end of the leaf is still what counts.
    let ended = verify(&trust, "2040-01-01T00:00:00Z");
    assert!(matches!(ended, Err(Fault::Expired { .. })), "{ended:?}");
    let early = verify(&trust, "2028-01-01T00:00:00Z");
    assert!(matches!(early, Err(Fault::Untrusted { .. })), "{early:?}");
    let other = roots(&authority("other", None, BasicConstraints::Unconstrained));
    let strange = verify(&other, NOW);
    assert!(
        matches!(strange, Err(Fault::Untrusted { .. })),
        "{strange:?}"
    );
}

#[test]
fn a_certificate_of_another_key_cannot_sign() {
    let root = authority("root", None, BasicConstraints::Unconstrained);
    let (pair_one, _) = pair(&PKCS_ECDSA_P256_SHA256);
    let (_, other) = pair(&PKCS_ECDSA_P256_SHA256);
    let refused = Signer::new(other, vec![leaf(&root, &pair_one, |_| ())]).unwrap_err();
    assert_eq!(refused, Fault::OtherKey);
}

#[test]
fn paths_that_are_not_canonical_and_files_that_stand_twice_are_not_signed() {
    let (_, key) = pair(&PKCS_ED25519);
    let signer = Signer::new(key, Vec::new()).unwrap();
    let named = |name: &str| Resource {
        name: name.to_owned(),
        sha256: [0; 32],
    };
    for name in ["", "/a", "a/", "a//b", "./a", "a/../b", ".."] {
        let refused = signer.sign("a", &[named(name)], &[]).unwrap_err();
        assert!(matches!(refused, Fault::Rule { .. }), "`{name}`: {refused}");
    }
    assert!(signer.sign("a", &[named("a"), named("a")], &[]).is_err());
    assert!(signer.sign("a", &[], &[]).is_err());
}

#[test]
fn differences_name_what_was_changed_added_and_removed() {
    let (_, key) = pair(&PKCS_ED25519);
    let signer = Signer::new(key, Vec::new()).unwrap();
    let bundle = signer.sign("a", &files(), &["data"]).unwrap();
    let statement = Bundle::parse(&bundle).unwrap().statement().unwrap();
    assert_eq!(
        statement.differences(&files()).unwrap(),
        Vec::<String>::new()
    );
    let mut found = files();
    found[0].sha256 = [9; 32];
    found[1].name = "added".to_owned();
    found[2].name = "data/ignored".to_owned();
    let mut sentences = statement.differences(&found).unwrap();
    sentences.sort();
    assert_eq!(
        sentences,
        [
            "`added` is not signed",
            "`bagit.txt` was signed and is not there",
            "`manifest-sha256.txt` is not what was signed",
            "`sub/é.txt` was signed and is not there",
        ]
    );
}

#[test]
fn keys_that_cannot_sign_are_refused_by_what_they_are() {
    let refused = |text: &str| {
        SigningKey::from_pem(text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let wrapped =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(refused(wrapped).contains("passphrase"));
    assert!(refused("secret words").contains("no PEM private key"));
    assert!(!refused("secret words").contains("secret"));
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    assert!(refused(&p384.serialize_pem()).contains("neither Ed25519 nor ECDSA on P-256"));
}

#[test]
fn a_key_in_sec_1_is_the_same_as_in_pkcs_8() {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let pkcs8 = made.to_pkcs8v1().unwrap();
    let sec1 = made.private_key().as_der().unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap();
        SigningKey::from_pem(text.as_bytes()).unwrap()
    };
    let one = pem("PRIVATE KEY", pkcs8.as_ref());
    let other = pem("EC PRIVATE KEY", sec1.as_ref());
    assert_eq!(one.public(), other.public());
    assert!(!format!("{one:?}").contains("pair"));
}

/// Where the cases of others lie, for those who have them beside the project.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn conformance() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/oms");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn vectors(sort: &str) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = conformance() else {
        return Vec::new();
    };
    let mut vectors: Vec<_> = std::fs::read_dir(folder.join("test-vectors/v1.0").join(sort))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    vectors.sort();
    assert!(!vectors.is_empty(), "no {sort} vectors");
    vectors
}

#[test]
fn vectors_of_the_specification_are_judged_rightly() {
    for (name, bytes) in vectors("valid") {
        let bundle = Bundle::parse(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let statement = bundle
            .statement()
            .unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(statement.files().unwrap().len(), 2, "{name}");
    }
    for (name, bytes) in vectors("invalid") {
        assert!(Bundle::parse(&bytes).is_err(), "{name}");
    }
    for (name, bytes) in vectors("invalid-payload") {
        let bundle = Bundle::parse(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(
            matches!(bundle.statement(), Err(Fault::Rule { .. })),
            "{name}"
        );
    }
}

#[test]
fn the_certificate_vector_is_signed_by_its_leaf_and_leads_to_its_issuer() {
    let Some((_, bytes)) = vectors("valid")
        .into_iter()
        .find(|(name, _)| name.starts_with("cert"))
    else {
        return;
    };
    let bundle = Bundle::parse(&bytes).unwrap();
    let [_, issuer] = bundle.chain() else {
        panic!("another vector than the one of version 1.0");
    };
    let trust = Trust {
        keys: Vec::new(),
        roots: vec![issuer.clone()],
    };
    let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    bundle.verify(&trust, at).unwrap();
    let late: Timestamp = "2036-01-01T00:00:00Z".parse().unwrap();
    assert!(bundle.verify(&trust, late).is_err());
    let (root, [leaf, ..]) = (
        authority("x", None, BasicConstraints::Unconstrained),
        bundle.chain(),
    ) else {
        return;
    };
    assert!(
        leaf.verify(&[], &[root.certificate], Usage::Signing, at)
            .is_err()
    );
}

/// What the schemas of the specification say of an object: its required and, where no others are allowed, known members.
fn keeps_schema(schema: &Value, value: &Value, at: &str) {
    let members = |of: &str| -> Vec<String> {
        schema[of]
            .as_array()
            .map(|names| {
                names
                    .iter()
                    .map(|name| name.as_str().unwrap().to_owned())
                    .collect()
            })
            .unwrap_or_default()
    };
    for name in members("required") {
        assert!(value.get(&name).is_some(), "{at} has no {name}");
    }
    if schema["additionalProperties"] == Value::Bool(false) {
        for name in value.as_object().unwrap().keys() {
            assert!(schema["properties"].get(name).is_some(), "{at} has {name}");
        }
    }
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        if let (Some(constant), Some(found)) = (of.get("const"), value.get(name)) {
            assert_eq!(constant, found, "{at}.{name}");
        }
    }
}

#[test]
fn what_is_written_keeps_the_schemas_of_the_specification() {
    let Some(folder) = conformance() else { return };
    let schema = |name: &str| -> Value {
        let path = folder.join(format!("schemas/v1.0/{name}.schema.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let (_, key) = pair(&PKCS_ECDSA_P256_SHA256);
    let bundle = Signer::new(key, Vec::new())
        .unwrap()
        .sign("a", &files(), &[])
        .unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    keeps_schema(&schema("bundle"), &bundle, "bundle");
    let envelope = &bundle["dsseEnvelope"];
    keeps_schema(&schema("envelope"), envelope, "envelope");
    let signature = &envelope["signatures"][0];
    keeps_schema(
        &schema("envelope")["$defs"]["signature"],
        signature,
        "signature",
    );
    let payload = STANDARD
        .decode(envelope["payload"].as_str().unwrap())
        .unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    keeps_schema(&schema("statement"), &statement, "statement");
    let predicate = &statement["predicate"];
    keeps_schema(&schema("predicate"), predicate, "predicate");
    let parts = &schema("predicate")["$defs"];
    keeps_schema(
        &parts["resource_descriptor"],
        &predicate["resources"][0],
        "resource",
    );
    keeps_schema(
        &parts["serialization"],
        &predicate["serialization"],
        "serialization",
    );
}
