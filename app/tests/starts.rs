//! The binary itself, as it was built: what it can not do it says in one sentence, before anything is there.
use std::process::Command;

/// What `jumun up malltail` says. It ends by itself in any case: there is no such context to go without.
fn refused(endpoint: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut up = Command::new(env!("CARGO_BIN_EXE_jumun"));
    let done = up
        .args(["up", "malltail", "--without", "nobody", "--data"])
        .arg(&data)
        .env("JUMUN_OTLP_ENDPOINT", endpoint)
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!((done.status.code(), said.lines().count(), data.exists()), (Some(1), 1, false), "{said}");
    said
}

#[test]
#[cfg(not(feature = "otlp"))]
fn a_small_build_says_what_to_build_for_traces() {
    let said = refused("http://127.0.0.1:4318");
    assert!(said.starts_with("jumun: this build sends no traces") && said.contains("--features otlp"), "{said}");
}

#[test]
#[cfg(feature = "otlp")]
fn a_place_to_which_no_traces_can_go_is_said() {
    for wrong in ["127.0.0.1:4318", "https://collector.example", "http://", "http://a b"] {
        let said = refused(wrong);
        assert!(said.starts_with(&format!("jumun: otlp.endpoint = {wrong:?}")), "{said}");
    }
}
