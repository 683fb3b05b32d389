//! `referee AUDIT-LOG LIST ENDED`: says what a run did to those who use the operator. It knows nothing of the run but what the API
//! server noted, what LiteLLM lists, and when the last fault ended; it ends with 1 where something must not be.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use mcp_chaos::referee::judge_files;

fn main() -> ExitCode {
    let files: Vec<_> = env::args_os().skip(1).collect();
    let [audit, list, ended] = &files[..] else {
        eprintln!("error: `referee AUDIT-LOG LIST ENDED` takes three files");
        return ExitCode::from(2);
    };
    match judge_files(Path::new(audit), Path::new(list), Path::new(ended)) {
        Ok(verdict) => {
            print!("{verdict}");
            ExitCode::from(u8::from(!verdict.is_good()))
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
