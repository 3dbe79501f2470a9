//! Certificates of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority that nobody knows but the test, and a server's key and certificate by it.
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    /// One that says that a server has a name, as in `DNS:localhost`.
    pub(crate) fn for_server(name: &str) -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        // Its own name, lest two of them are taken for one whose signature is bad.
        let own = folder.path().file_name().unwrap().display().to_string();
        let authority = format!("-subj /CN={own} -addext basicConstraints=critical,CA:TRUE");
        openssl(
            folder.path(),
            &format!("req -x509 {curve} {authority} -keyout ca.key -out ca.pem"),
        );
        openssl(
            folder.path(),
            &format!("req {curve} -subj /CN=server -keyout server.key -out server.csr"),
        );
        std::fs::write(
            folder.path().join("names"),
            format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n"),
        )
        .unwrap();
        openssl(
            folder.path(),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out server.pem",
        );
        Authority { folder }
    }

    /// The file that clients have to trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What a Redis server is started with.
    pub(crate) fn options(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "--tls-cert-file {folder}/server.pem --tls-key-file {folder}/server.key \
             --tls-ca-cert-file {folder}/ca.pem --tls-auth-clients no"
        )
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("openssl is missing: run ./scripts/test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}
