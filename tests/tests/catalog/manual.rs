//! The examples of the manual's page are read as they stand, and a slip in one of them is told with
//! its place.

use anchorite_tests::daemon::Installation;
use anchorite_tests::judges::repository_file;
use anchorite_tests::peers::free_address;

/// The `<CatalogList>` examples of the page.
fn examples() -> Vec<String> {
    let page = std::fs::read_to_string(repository_file("docs/src/catalog.md")).unwrap();
    let blocks = page.split("```xml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let lists = blocks.filter(|(block, _)| block.starts_with("<CatalogList>"));
    lists.map(|(block, _)| block.to_owned()).collect()
}

/// An installation that goes by an example; nobody answers as its master.
fn installation(example: &str) -> Installation {
    let installation = Installation::new("default");
    let folder = installation.path("");
    let folder = folder.to_string_lossy();
    let example = example.replace("/etc/opendnssec/", &folder);
    let example = format!("{example}</Configuration>");
    installation.edit("conf.xml", "</Configuration>", &example);
    let nobody = free_address().port();
    let (inbound, outbound) = (
        format!(
            "<Inbound><RequestTransfer><Remote><Address>127.0.0.1</Address><Port>{nobody}</Port>\
             </Remote></RequestTransfer></Inbound>"
        ),
        "<Outbound><ProvideTransfer><Peer><Prefix>127.0.0.1</Prefix></Peer></ProvideTransfer>\
         </Outbound>",
    );
    installation.write("masters.xml", &format!("<Adapter><DNS>{inbound}</DNS></Adapter>"));
    installation.write("out.xml", &format!("<Adapter><DNS>{outbound}</DNS></Adapter>"));
    installation
}

#[test]
fn the_examples_of_the_manual_work_and_a_slip_has_its_place() {
    let examples = examples();
    let said = ["catalog catz.example: master 127.0.0.1:", "catalog out.example serial"];
    assert_eq!(examples.len(), said.len());
    for (example, said) in examples.iter().zip(said) {
        let own = installation(example);
        let mut daemon = own.start();
        daemon.wait_for(&[said]);
        daemon.stop();
        let slip = installation(&example.replacen("<Policy>default<", "<Policie>default<", 1));
        let text = slip.read("conf.xml");
        let line = text.lines().position(|line| line.contains("<Policie>")).unwrap() + 1;
        slip.edit("conf.xml", "</Policy>\n", "</Policie>\n");
        let lines = slip.start_fails();
        assert!(lines.contains(&format!("conf.xml:{line}:")), "{lines}");
    }
}
