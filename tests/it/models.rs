//! Models of the embedded provider, as far as that goes without fetching one.

use crate::harness::TestEnv;

#[test]
fn models_are_listed_and_what_is_no_model_is_refused() {
    let env = TestEnv::new();
    let list = env.rigs(["--json", "model", "list"]).run().success().json();
    assert!(list.as_array().is_some_and(|all| !all.is_empty()));
    assert!(
        list.as_array()
            .unwrap()
            .iter()
            .all(|model| model["here"] == false)
    );
    env.write("no.gguf", "this is no model");
    insta::assert_snapshot!(env.rigs(["model", "add", "no.gguf"]).run(), @r"
    ------- stderr -------
    error: `$ROOT/no.gguf` is not a usable GGUF model: it does not begin with GGUF
      hint: give a GGUF file of an instruct model
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["model", "add", "missing.gguf"]).run(), @r"
    ------- stderr -------
    error: no file $ROOT/missing.gguf
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["model", "remove", "none"]).run(), @r"
    ------- stderr -------
    error: no model `none` here
      hint: `rigs model list` shows what is here
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["model", "pull", "nonesuch"]).run(), @r"
    ------- stderr -------
    error: no model `nonesuch` is known
      hint: download a GGUF file yourself and `rigs model add FILE`
    [exit status: 3]
    ");
}
