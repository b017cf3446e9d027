use proptest::prelude::*;
use subrosa_engine::Coded;
use subrosa_files::{FileName, NameError};

#[test]
fn a_peers_name_becomes_one_that_is_safe() {
    let long = "x".repeat(300);
    let cases = [
        ("holiday.jpg", "holiday.jpg"),
        ("Ferien am Meer – 2026.jpg", "Ferien am Meer – 2026.jpg"),
        ("写真.png", "写真.png"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("... . .", "file"),
        ("   ", "file"),
        ("/", "file"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:\\evil.exe", "evil.exe"),
        ("C:evil.exe", "C_evil.exe"),
        ("a/..", "file"),
        ("dir/", "file"),
        (".bashrc", "bashrc"),
        ("..bashrc", "bashrc"),
        (" .bashrc", "bashrc"),
        ("\u{202e}.bashrc", "bashrc"),
        ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ("a\0b\nc\u{1b}[31m.txt", "abc[31m.txt"),
        ("what?.txt", "what_.txt"),
        ("file.txt:stream", "file.txt_stream"),
        ("trailing. . ", "trailing"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("Aux .tar.gz", "_Aux .tar.gz"),
        ("com1.txt", "_com1.txt"),
        ("LPT³", "_LPT³"),
        ("com10.txt", "com10.txt"),
        ("console.log", "console.log"),
        ("-rf", "_-rf"),
        ("~root", "_~root"),
    ];
    for (given, expected) in cases {
        assert_eq!(FileName::from_peer(given).as_str(), expected, "{given:?}");
    }
    assert_eq!(FileName::from_peer(&long).as_str(), &long[..255]);
    assert_eq!(FileName::from_peer(&format!("{long}.jpeg")).as_str(), format!("{}.jpeg", &long[..250]));
    assert_eq!(FileName::from_peer(&format!("-{long}")).as_str().len(), 255);
    assert_eq!(FileName::from_peer(&format!("a.{long}")).as_str().len(), 255);
}
#[test]
fn a_persons_name_is_taken_as_it_is_or_refused_with_words() {
    for name in [".hidden", "-rf", "con", "a b", "写真.png"] {
        assert_eq!(FileName::chosen(name).unwrap().as_str(), name);
    }
    for name in ["", ".", ".."] {
        assert_eq!(FileName::chosen(name), Err(NameError::Empty));
    }
    for name in ["a/b", "/", "a\\b", "a\0"] {
        assert_eq!(FileName::chosen(name), Err(NameError::Path));
    }
    assert_eq!(FileName::chosen(&"x".repeat(256)), Err(NameError::TooLong));
    assert!(FileName::chosen(&"x".repeat(255)).is_ok());
    assert_eq!(
        (NameError::TooLong.code(), NameError::Path.to_string().as_str()),
        ("file.name-too-long", "a file name contains no path: leave out / and \\, and name the directory apart")
    );
}

proptest! {
    #[test]
    fn whatever_a_peer_writes_stays_in_its_directory(
        given in prop_oneof![".*", "[./\\\\ a\u{202e}:conNUL1-]{0,40}", "[é.]{100,400}", "(con|prn|aux|nul|com[0-9])[. ]{0,3}(txt)?"],
    ) {
        let name = FileName::from_peer(&given);
        let name = name.as_str();
        prop_assert!(!name.is_empty() && name.len() <= 255, "{name:?}");
        prop_assert!(!name.contains(['/', '\\', '\0', ':', '\u{202e}']) && !name.chars().any(char::is_control), "{name:?}");
        prop_assert!(!name.starts_with(['.', ' ', '-', '~']) && !name.ends_with(['.', ' ']), "{name:?}");
        let stem = name.split('.').next().unwrap().trim_end().to_lowercase();
        prop_assert!(!["con", "prn", "aux", "nul", "com1", "lpt9"].contains(&stem.as_str()), "{name:?}");
        let path = std::path::Path::new("/directory").join(name);
        prop_assert_eq!(path.parent().unwrap(), std::path::Path::new("/directory"));
        // a safe name is left alone
        prop_assert!(FileName::from_peer(name).as_str() == name);
    }
}
