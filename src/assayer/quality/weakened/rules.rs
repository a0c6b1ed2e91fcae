//! What tests, assertions and ways around them look like in each language: patterns of single
//! lines, which is as far as a diff can be read without a parser of each language.

use std::sync::LazyLock;

use regex::Regex;

/// What a test looks like in a file, and what takes a check out of force.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) test: Option<&'static Regex>,
    pub(super) silence: Option<&'static Regex>,
}

macro_rules! patterns {
    ($($name:ident = $text:expr;)+) => {$(
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).expect("invariant: the pattern is valid")
        });
    )+};
}

patterns! {
    RUST_TEST = r"^\s*#\[(?:\w+::)*(?:test|rstest|test_case|wasm_bindgen_test)\b";
    RUST_SILENCE = r"#\[ignore\b|#\[cfg\(any\(\)\)\]|#\[cfg\(false\)\]|\b(?:debug_)?assert!\(\s*true\s*[,)]|\bassert_eq!\(\s*(?:true,\s*true|1,\s*1)\s*\)";
    PYTHON_TEST = r"^\s*(?:async )?def test_\w+";
    PYTHON_SILENCE = r"@pytest\.mark\.(?:skip|skipif|xfail)\b|@unittest\.(?:skip|expectedFailure)\w*|\bpytest\.(?:skip|xfail|importorskip)\(|\bself\.skipTest\(|\braise (?:unittest\.)?SkipTest\b|^\s*assert True\s*(?:#.*)?$|\bself\.assertTrue\(True\)|\bcollect_ignore(?:_glob)?\b|^\s*__test__\s*=\s*False";
    JS_TEST = r#"^\s*(?:it|test)(?:\.each\(.*\))?\(\s*["'`]"#;
    JS_SILENCE = r"\b(?:it|test|describe|context|suite)(?:\.concurrent)?\.(?:skip|skipIf|only|todo|fails|failing)\(|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(|\bthis\.skip\(\)|\bexpect\((true|1)\)\.to(?:Be|Equal)\((?:true|1)\)";
    GO_TEST = r"^func (?:Test|Fuzz|Example)\w*\(";
    GO_SILENCE = r"\b[tbf]\.Skip(?:f|Now)?\(|^//go:build ignore\b|^// \+build ignore\b";
    JVM_TEST = r"^\s*@(?:Test|ParameterizedTest|RepeatedTest)\b";
    JVM_SILENCE = r"@(?:Disabled|Ignore)\b|@Test\(\s*enabled\s*=\s*false|\bassertTrue\(\s*true\s*\)|\bassumeTrue\(\s*false\s*\)";
    RUBY_TEST = r#"^\s*(?:it|specify|test)\s+["']|^\s*def test_"#;
    RUBY_SILENCE = r#"^\s*(?:xit|xspecify|xdescribe|xcontext|fit|fdescribe|pending)\s+["']|^\s*(?:skip|pending)\b|,\s*:?skip(?:\s*=>|:)\s*true|\bassert\s+true\s*$"#;
    CSHARP_TEST = r"^\s*\[(?:Fact|Theory|Test|TestCase|TestMethod|DataTestMethod)\b";
    CSHARP_SILENCE = r"\[(?:Fact|Theory)\([^)]*\bSkip\s*=|\[Ignore\b|\bAssert\.(?:Ignore|Inconclusive|Pass)\(|\bAssert\.(?:True|IsTrue)\(\s*true\s*\)";
    PHP_TEST = r"^\s*(?:public )?function test\w+\(|^\s*#\[Test\]|^\s*(?:it|test)\(\s*['\x22]";
    PHP_SILENCE = r"\bmarkTest(?:Skipped|Incomplete)\(|->(?:skip|todo|only)\(|\bassertTrue\(\s*true\s*\)";
    SWIFT_TEST = r"^\s*(?:(?:public|internal|override|async)\s+)*func test\w*\(|^\s*@Test\b";
    SWIFT_SILENCE = r"\bXCTSkip(?:If|Unless)?\b|\.disabled\(|\bXCTExpectFailure\b|\bXCTAssertTrue\(\s*true\s*\)";
    ELIXIR_TEST = r#"^\s*(?:test|property)\s+""#;
    ELIXIR_SILENCE = r"@(?:module|describe)?tag :?skip\b|\bassert true\s*$";
    C_TEST = r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TEST_CASE|SCENARIO|START_TEST|BOOST_AUTO_TEST_CASE)\(";
    C_SILENCE = r"\bGTEST_SKIP\(|\bDISABLED_\w|^\s*#if 0\b|\b(?:EXPECT|ASSERT)_TRUE\(\s*true\s*\)";
    DART_TEST = r#"^\s*(?:test|testWidgets)\(\s*['"]"#;
    DART_SILENCE = r"\bskip:\s*(?:true|['\x22])|@Skip\b|\bsolo:\s*true";
    SCRIPT_SILENCE = r"\|\|\s*(?:true\b|:\s*$|exit 0\b)|continue-on-error:\s*true|allow_failure:\s*true|--passWithNoTests|--no-verify|--deselect\b|--ignore(?:-glob)?=|--testPathIgnorePatterns|\x22testPathIgnorePatterns\x22|--(?:\s+--)?skip[= ]|-k\s*['\x22]?not\s|--no-fail|-DskipTests|-Dmaven\.test\.skip";
    MAKE_SILENCE = r"\|\|\s*(?:true\b|:\s*$|exit 0\b)|^\t[@+]*-|--passWithNoTests|--no-verify|--deselect\b|--ignore(?:-glob)?=|--(?:\s+--)?skip[= ]|-k\s*['\x22]?not\s|-DskipTests";
    ASSERTION = r"\b(?:debug_)?assert\w*(?:!\s*[\[({]|\s*\(|\s)|\bassert\.\w+\(|\bexpect\w*\s*[({]|\b(?:require|assert|Assert)\.\w+\(|\bshould\b|\bt\.(?:Error|Fatal)f?\(|\bXCT(?:Assert|Unwrap)\w*\(|\b(?:EXPECT|ASSERT|CHECK|REQUIRE)(?:_\w+)?\(|->assert\w+\(|#(?:expect|require)\(|\brefute\b";
    TEST_PATH = r"(?i)(?:^|/)(?:tests?|specs?|__tests__|testing|e2e)/|(?:^|/)(?:test_[^/]*|[^/]*(?:_test|_spec|\.test|\.spec|tests?))\.[^/.]+$|(?:^|/)conftest\.py$";
}

/// A line that checks something, in any of the languages.
pub(super) fn is_assertion(line: &str) -> bool {
    ASSERTION.is_match(line)
}

/// A file that by its name holds tests, or what they need.
pub(super) fn is_of_tests(path: &str) -> bool {
    TEST_PATH.is_match(path)
}

pub(super) fn rules(file: &str) -> Rules {
    let name = file.rsplit('/').next().unwrap_or(file);
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let of = |test: &'static LazyLock<Regex>, silence: &'static LazyLock<Regex>| Rules {
        test: Some(&**test),
        silence: Some(&**silence),
    };
    match end {
        "rs" => of(&RUST_TEST, &RUST_SILENCE),
        "py" => of(&PYTHON_TEST, &PYTHON_SILENCE),
        "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" | "vue" | "svelte" => {
            of(&JS_TEST, &JS_SILENCE)
        }
        "go" => of(&GO_TEST, &GO_SILENCE),
        "java" | "kt" | "scala" | "groovy" => of(&JVM_TEST, &JVM_SILENCE),
        "rb" => of(&RUBY_TEST, &RUBY_SILENCE),
        "cs" | "fs" | "vb" => of(&CSHARP_TEST, &CSHARP_SILENCE),
        "php" => of(&PHP_TEST, &PHP_SILENCE),
        "swift" => of(&SWIFT_TEST, &SWIFT_SILENCE),
        "ex" | "exs" => of(&ELIXIR_TEST, &ELIXIR_SILENCE),
        "c" | "cc" | "cpp" | "cxx" | "h" | "hh" | "hpp" => of(&C_TEST, &C_SILENCE),
        "dart" => of(&DART_TEST, &DART_SILENCE),
        "sh" | "bash" | "yml" | "yaml" | "json" | "toml" | "ini" | "cfg" => Rules {
            test: None,
            silence: Some(&*SCRIPT_SILENCE),
        },
        "mk" | "just" => Rules {
            test: None,
            silence: Some(&*MAKE_SILENCE),
        },
        _ => Rules {
            test: None,
            silence: matches!(
                name,
                "Makefile" | "makefile" | "GNUmakefile" | "justfile" | "Justfile"
            )
            .then(|| &*MAKE_SILENCE),
        },
    }
}
