//! `[auth]`: callers are known by their names, and everything that is wrong with them has its line.

use std::fs;

use super::{FILE, Folder, line};

/// A good file, with a tokens file beside it, and one caller.
fn folder(more: &str) -> Folder {
    let folder = Folder::new("");
    let tokens = folder.0.join("tokens");
    fs::write(&tokens, "").unwrap();
    let auth = format!(
        "[auth]\nmode = 'static'\n[auth.static]\ntokens_file = '{}'\n[[auth.callers]]\nname = 'the.orders'\n\
         identities = ['static:orders']\napps = ['the-orders']\nrpcs = ['*']\n{more}",
        tokens.display()
    );
    // The keys of the app end the file.
    fs::write(folder.config(), FILE.replace("[[apps]]", &format!("{auth}\n[[apps]]"))).unwrap();
    folder
}

#[test]
fn callers_are_shown_and_set_by_their_names() {
    let folder = folder("");
    let shown = folder.load(&[("DINGGATE__AUTH__CALLERS__THE_ORDERS__RPCS", "['GroupService/*']")]).unwrap();
    let line = |path| line(&shown, path).unwrap().replace(&format!("{}/", folder.0.display()), "");
    assert_eq!(line("auth.mode"), "auth.mode = \"static\"  # dinggate.toml:5");
    assert_eq!(
        line("auth.callers.the.orders.identities"),
        "auth.callers.the.orders.identities = [\"static:orders\"]  # dinggate.toml:10"
    );
    assert!(line("auth.callers.the.orders.rpcs").ends_with("# DINGGATE__AUTH__CALLERS__THE_ORDERS__RPCS"));
    assert_eq!(shown.to_string().matches("auth.callers").count(), 4, "{shown}");
    assert_eq!(shown.config.auth.callers["the.orders"].rpcs, ["GroupService/*"]);

    let variables = [
        ("DINGGATE__AUTH__MODE", "[\"static\"]"),
        ("DINGGATE__AUTH__CALLERS__BILLING__IDENTITIES", "['static:billing']"),
        ("DINGGATE__AUTH__CALLERS__BILLING__APPS", "['*']"),
        ("DINGGATE__AUTH__CALLERS__BILLING__RPCS", "['QuotaService/GetQuota']"),
        ("DINGGATE__AUTH__CALLERS__BILLING__PRIORITY", "batch"),
    ];
    let shown = folder.load(&variables).unwrap();
    assert_eq!(shown.config.auth.callers.len(), 2);
}

#[test]
fn every_fault_of_a_caller_has_its_line() {
    for (more, fault) in [
        ("share = 0", "15: auth.callers.the.orders.share: must be at least 1"),
        ("groups = ['']", "15: auth.callers.the.orders.groups: must not hold an empty id"),
        ("groups = 'cid'", "15: auth.callers.the.orders.groups: must be a list, such as [\"one\", \"two\"]"),
        (
            "priority = 'urgent'",
            "15: auth.callers.the.orders.priority: unknown value `urgent`, expected `interactive` or `batch`",
        ),
        ("grups = []", "15: auth.callers.the.orders.grups: unknown key `grups`, expected one of `name`"),
        ("[[auth.callers]]", "15: auth.callers.#2.name: must be 1 to 63 of a-z"),
        ("[[auth.callers]]\nname = 'x'", "15: auth.callers.x.identities: is missing"),
        ("[[auth.callers]]\nname = 'x'", "15: auth.callers.x.apps: is missing"),
        ("[[auth.callers]]\nname = 'x'", "15: auth.callers.x.rpcs: is missing"),
        (
            "[[auth.callers]]\nname = 'the.orders'",
            "16: auth.callers.#2.name: is another caller's name already",
        ),
        ("[[auth.callers]]\nname = 'Not so'", "16: auth.callers.Not so.name: must be 1 to 63"),
        (
            "[[auth.callers]]\nidentities = ['static:orders']",
            "16: auth.callers.#2.identities: `static:orders` is known as the.orders already",
        ),
        (
            "[[auth.callers]]\nidentities = ['orders']",
            "16: auth.callers.#2.identities: `orders` is no identity",
        ),
        (
            "[[auth.callers]]\nidentities = ['static:']",
            "16: auth.callers.#2.identities: `static:` is no identity",
        ),
        (
            "[[auth.callers]]\napps = ['other']",
            "16: auth.callers.#2.apps: `other` is not the alias of an app",
        ),
        (
            "[[auth.callers]]\nrpcs = ['*', 'GroupService/MakeTea']",
            "16: auth.callers.#2.rpcs: `GroupService/MakeTea` is no RPC",
        ),
        (
            "[[auth.callers]]\nrpcs = ['AdminService/*']",
            "16: auth.callers.#2.rpcs: `AdminService/*` covers nothing",
        ),
        (
            "[[auth.callers]]\nrpcs = ['TokenService/GetAccessToken']\ngroups = ['cid']",
            "17: auth.callers.#2.groups: would mean nothing",
        ),
    ] {
        // The caller of the folder begins at line 8 and ends with line 12.
        let found = folder(&format!("\n\n{more}\n")).load(&[]).unwrap_err();
        assert!(
            found.iter().any(|line| line.starts_with(&format!("dinggate.toml:{fault}"))),
            "{fault}\n{found:#?}"
        );
    }
}

#[test]
fn modes_and_callers_belong_together() {
    let faults = |from: &str, to: &str| {
        let folder = folder("");
        let text = fs::read_to_string(folder.config()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(folder.config(), text.replace(from, to)).unwrap();
        folder.load(&[]).unwrap_err().join("\n")
    };
    let without = faults("mode = 'static'", "mode = 'none'");
    assert!(
        without
            .contains("dinggate.toml:5: auth.mode: is \"none\", so that [[auth.callers]] would mean nothing")
    );
    let shared = faults("[[apps]]", "[limits]\nshares = { \"the.orders\" = 3 }\n[[apps]]");
    assert!(
        shared.contains("dinggate.toml:15: limits.shares.the.orders: would mean nothing with auth.mode"),
        "{shared}"
    );
    let nobody = folder("");
    let text = fs::read_to_string(nobody.config()).unwrap();
    let (before, rest) = text.split_once("[[auth.callers]]").unwrap();
    fs::write(nobody.config(), format!("{before}[[apps]]{}", rest.split_once("[[apps]]").unwrap().1))
        .unwrap();
    let found = nobody.load(&[]).unwrap_err();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("auth.callers: there is none"), "{found:?}");
    let nowhere = faults("/tokens'", "/nowhere'");
    assert!(
        nowhere.contains("dinggate.toml:7: auth.static.tokens_file:") && nowhere.contains("cannot be read")
    );
}
