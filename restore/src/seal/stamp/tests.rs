//! Questions and answers of RFC 3161. The answers were given by `openssl ts -reply` (3.0) with an authority made for this:
//! one with ECDSA and SHA-256, one with RSA, SHA-512 and the older attribute that names its certificate by SHA-1.

use sha2::{Digest, Sha256};

use super::*;

const QUESTION: &[u8] = include_bytes!("fixture/question.tsq");
const ECDSA: &[u8] = include_bytes!("fixture/ecdsa.tsr");
const RSA: &[u8] = include_bytes!("fixture/rsa.tsr");
const REFUSED: &[u8] = include_bytes!("fixture/refused.tsr");
const ROOT: &[u8] = include_bytes!("fixture/root.pem");

fn query() -> Query {
    Query::from_der(QUESTION).unwrap()
}

fn authority() -> Authority {
    Authority {
        roots: Certificate::chain_from_pem(ROOT).unwrap(),
    }
}

#[test]
fn a_question_is_read_back_as_it_was_asked() {
    let asked = Query::new([7; 32], [0, 0, 1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(Query::from_der(asked.der()).unwrap(), asked);
    assert_eq!(asked.sha256(), [7; 32]);
    let digest: [u8; 32] = Sha256::digest(b"the bundle").into();
    assert_eq!(query().sha256(), digest);
}

#[test]
fn answers_of_openssl_are_accepted_with_their_time_and_signer() {
    let cases = [
        (ECDSA, "CN=Time-stamp authority of a test,O=Test"),
        (RSA, "CN=RSA authority of a test"),
    ];
    for (answer, signer) in cases {
        let stamp = judge(answer, &query(), &authority()).unwrap();
        assert_eq!(stamp.signer, signer);
        assert!(stamp.trusted);
        assert!(
            stamp.time.to_string().starts_with("2026-11-29T"),
            "{stamp:?}"
        );
        let alone = judge(answer, &query(), &Authority::default()).unwrap();
        assert!(!alone.trusted);
    }
}

#[test]
fn a_fraction_of_a_second_counts() {
    let stamp = judge(ECDSA, &query(), &authority()).unwrap();
    assert_ne!(stamp.time.subsec_nanosecond(), 0);
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let digest = query().sha256();
    let other = Query::new([1; 32], [1; 8]).unwrap();
    let refused = judge(ECDSA, &other, &authority()).unwrap_err();
    assert_eq!(refused, Fault::OtherStamp { what: "digest" });
    let again = Query::new(digest, [1; 8]).unwrap();
    let refused = judge(ECDSA, &again, &authority()).unwrap_err();
    assert_eq!(refused, Fault::OtherStamp { what: "nonce" });
}

#[test]
fn a_refusal_is_told_in_the_authoritys_words() {
    let refused = judge(REFUSED, &query(), &authority()).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("badAlg") && said.contains("supported"),
        "{said}"
    );
}

#[test]
fn an_authority_of_another_root_is_not_trusted() {
    let mut root = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    root.distinguished_name
        .push(rcgen::DnType::CommonName, "Root of a test");
    let root = root
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let other = Authority {
        roots: vec![Certificate::from_der(root.der()).unwrap()],
    };
    let refused = judge(ECDSA, &query(), &other).unwrap_err();
    assert!(matches!(refused, Fault::Untrusted { .. }), "{refused}");
}

#[test]
fn no_changed_bit_of_an_answer_passes() {
    let root = authority().roots[0].der().to_vec();
    for answer in [ECDSA, RSA] {
        let good = judge(answer, &query(), &authority()).unwrap();
        let sent = answer.windows(root.len()).position(|window| window == root);
        let mut same = 0;
        for at in 0..answer.len() {
            for bit in 0..8 {
                let mut changed = answer.to_vec();
                changed[at] ^= 1 << bit;
                let Ok(stamp) = judge(&changed, &query(), &authority()) else {
                    continue;
                };
                assert_eq!(stamp, good, "byte {at}, bit {bit}");
                // The root that came with it is not looked at: the one that is trusted is at hand.
                let in_root = sent.is_some_and(|from| (from..from + root.len()).contains(&at));
                same += usize::from(!in_root);
            }
        }
        // Granted with or without modifications, versions, and unsigned lists of algorithms decide nothing.
        assert!(
            same < answer.len() * 8 / 10,
            "{same} of {} bits",
            answer.len() * 8
        );
    }
}

#[test]
fn no_cut_answer_is_read_and_none_panics() {
    for length in 0..ECDSA.len() {
        assert!(judge(&ECDSA[..length], &query(), &authority()).is_err());
    }
}
