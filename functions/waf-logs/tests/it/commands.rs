//! What an operator is told when a command cannot be carried out.

use greenlight::failure::chain;
use serde_json::{Value, json};
use waf_logs::keys;
use waf_logs::testing::{Call, Fault};

use crate::shop::Shop;

async fn refused(shop: &Shop, command: Value) -> String {
    chain(&shop.invoke(command).await.unwrap_err())
}

#[tokio::test]
async fn a_list_of_what_is_no_network_is_refused_as_every_command_is() {
    let shop = Shop::new("");
    for command in ["blocked", "block", "unblock", "allow", "disallow"] {
        for network in ["nonsense", "198.51.100.0/33", "198.51.100.0/", ""] {
            let told = refused(&shop, json!({"command": command, "network": network})).await;
            assert_eq!(
                told,
                format!("{network:?} is neither an address nor a network in CIDR form"),
                "{command}"
            );
        }
    }
}

#[tokio::test]
async fn everybody_is_neither_blocked_nor_allowed() {
    let shop = Shop::new("");
    for network in ["0.0.0.0/0", "::/0"] {
        let told = refused(&shop, json!({"command": "block", "network": network})).await;
        assert!(told.contains("is everybody; block at most a /16 of IPv4 or a /32 of IPv6"), "{told}");
        let told = refused(&shop, json!({"command": "allow", "network": network})).await;
        assert!(told.contains("is everybody; to block no client at all, write `mode: count`"), "{told}");
    }
}

#[tokio::test]
async fn a_note_is_as_long_as_a_note() {
    let shop = Shop::new("");
    let block = |note: String| json!({"command": "block", "network": "203.0.113.7", "note": note});
    let told = refused(&shop, block("x".repeat(300_000))).await;
    assert!(told.contains("the note has 300000 bytes; give at most 1024"), "{told}");
    shop.invoke(block("x".repeat(1024))).await.unwrap();
    assert!(shop.world.document(keys::STATE).unwrap().len() < 4000);
}

#[tokio::test]
async fn an_outage_hides_no_typing_error() {
    let shop = Shop::new("");
    for command in [json!({"command": "bloc"}), json!({"command": "block", "network": "nonsense"})] {
        shop.world.fail(Call::Read, Fault::Before);
        let told = refused(&shop, command).await;
        assert!(told.contains("is no command") || told.contains("is neither an address"), "{told}");
        shop.world.heal();
    }
}

#[tokio::test]
async fn a_command_that_is_stored_says_so_when_its_pass_fails() {
    let shop = Shop::new("");
    shop.world.fail(Call::ReadSet, Fault::Before);
    let told = refused(&shop, json!({"command": "block", "network": "203.0.113.7"})).await;
    assert!(told.starts_with("`block` is stored and need not be sent again"), "{told}");
    shop.pass().await;
    assert_eq!(shop.v4(), ["203.0.113.7/32"]);
}
