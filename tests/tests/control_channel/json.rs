//! Every command of the table whose answer is made of rows answers with JSON when it is asked to:
//! as a program asks, and behind `| json` and `| csv` of the shell.

use crate::client::{Clients, Said, ours, run};
use crate::walk::words;
use anchorite_tests::daemon::Installation;
use anchorite_tests::peers::free_address;
use console_protocol::table::{self, Command, Renderer};
use serde_json::Value;

/// Of what is not there, no rows are shown: no version was refused.
const NOTHING: &[&str] = &["zone diff"];

/// A zone, a key in the trash, a catalog, a waiver.
fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_small_zone("a.example", 1, "");
    installation.write_small_zone("gone.example", 1, "");
    installation.write_zonelist(&[("a.example", "default"), ("gone.example", "default")]);
    let transfer = "<Adapter><DNS><Outbound><ProvideTransfer><Peer><Prefix>127.0.0.1</Prefix>\
                    </Peer></ProvideTransfer></Outbound></DNS></Adapter>\n";
    installation.write("out.xml", transfer);
    let (listener, path) = (free_address(), installation.path("out.xml"));
    let interface = format!(
        "<Listener><Interface><Address>{}</Address><Port>{}</Port></Interface></Listener></Signer>",
        listener.ip(),
        listener.port()
    );
    installation.edit("conf.xml", "</Signer>", &interface);
    let list = format!(
        "<CatalogList>\n<Producer name=\"catalog.example\">\n<Adapter>{}</Adapter>\n\
         <Policy>default</Policy>\n</Producer>\n</CatalogList>\n</Configuration>",
        path.display()
    );
    installation.edit("conf.xml", "</Configuration>", &list);
    installation
}

#[track_caller]
fn json(line: &str, said: &Said) -> Value {
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{line}: {said:?}");
    assert!(said.stdout.ends_with('\n'), "{line}: {said:?}");
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {said:?}"))
}

#[test]
fn whatever_has_rows_prints_them_as_json() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] gone.example "]]);
    let clients = Clients::of(&installation);
    let done = clients.anchorite("zone delete -z gone.example --force");
    assert_eq!(done.code, Some(0), "{done:?}");
    let until = (jiff::Zoned::now().date() + jiff::Span::new().days(30)).to_string();
    let waive = format!("audit waive a.example A603 --until {until} --reason test");
    let waived = clients.anchorite(&waive);
    assert_eq!(waived.code, Some(0), "{waived:?}");
    let keys = json("key list", &clients.anchorite("key list --json"));
    let key_tag = keys[0]["key_tag"].to_string();
    let commands: Vec<&Command> =
        table::all().filter(|command| command.renderer == Renderer::Rows).collect();
    assert!(commands.len() > 30, "{}", commands.len());
    let mut lines = Vec::new();
    for command in commands {
        let line = words(command, &key_tag);
        let said = clients.anchorite(&format!("{line} --json"));
        if NOTHING.contains(&command.path) {
            assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{line}: {said:?}");
            continue;
        }
        let value = json(&line, &said);
        let rows = match &value {
            Value::Array(rows) => rows.as_slice(),
            row => std::slice::from_ref(row),
        };
        // What there is something of, above.
        let may_be_empty = ["show alarms", "parent status", "key trash"].contains(&command.path);
        assert!(may_be_empty || !rows.is_empty(), "{line}: {said:?}");
        assert!(rows.iter().all(Value::is_object), "{line}: {said:?}");
        lines.push(line);
    }
    // One shell asks for all of them again.
    let socket = installation.socket();
    for filter in ["json", "csv | count"] {
        let script: String = lines.iter().map(|line| format!("{line} | {filter}\n")).collect();
        let said = run(&mut ours("anchorite"), &["shell", "-s", &socket], &script);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{filter}: {said:?}");
        assert!(said.stdout.lines().count() >= lines.len(), "{filter}: {said:?}");
    }
    daemon.stop();
}

#[test]
fn the_facts_are_those_of_the_text() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] gone.example "]]);
    let clients = Clients::of(&installation);
    let ask = |line: &str| json(line, &clients.anchorite(&format!("{line} --json")));
    let keys = ask("key list -z a.example");
    let text = clients.anchorite("key list -v -z a.example").stdout;
    for key in keys.as_array().unwrap() {
        for fact in ["cka_id", "type", "state", "next", "repository"] {
            assert!(text.contains(key[fact].as_str().unwrap()), "{fact} {key}: {text}");
        }
        assert!(text.contains(&key["key_tag"].to_string()), "{key}: {text}");
    }
    assert_eq!(keys.as_array().unwrap().len(), text.lines().count() - 2, "{text}");
    let history = ask("key history a.example");
    let text = clients.anchorite("key history a.example").stdout;
    for event in history.as_array().unwrap() {
        assert!(text.contains(event["cka_id"].as_str().unwrap_or_default()), "{event}: {text}");
        assert!(text.contains(event["event"].as_str().unwrap_or_default()), "{event}: {text}");
    }
    assert_eq!(
        ask("zones"),
        ask("names zones")
            .as_array()
            .unwrap()
            .iter()
            .map(|name| { serde_json::json!({ "zone": name["name"] }) })
            .collect::<Value>()
    );
    let deleted = clients.anchorite("zone delete -z gone.example --force");
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    let trash = ask("key trash");
    assert!(trash.as_array().unwrap().iter().all(|key| key["zone"] == "gone.example"), "{trash}");
    let audit = ask("zone audit a.example");
    assert_eq!((&audit["verdict"], &audit["refused"]), (&"approved".into(), &Value::Null));
    let said = clients.enforcer("policy list --json");
    assert_eq!(json("policy list", &said)[0]["policy"], "default");
    daemon.stop();
}
