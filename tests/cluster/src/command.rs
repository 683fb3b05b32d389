//! Running programs to their end, and starting those that live as long as this one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::interrupt::check_interrupted;

/// How many lines of a log an error shows.
const TAIL: usize = 20;
/// How often is looked whether a program has ended.
const POLL: Duration = Duration::from_millis(50);

/// Runs a program to its end and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails; then with the end of its standard error.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| not_run(command))?;
    checked(command, output)
}

/// The standard output of a program that has ended well.
pub(crate) fn checked(command: &Command, output: Output) -> Result<String> {
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` failed ({}): {}",
            shown(command),
            output.status,
            last_lines(&stderr)
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed no UTF-8", shown(command)))
}

/// Runs a program to its end with its output in a log file; Ctrl-C ends it.
///
/// # Errors
/// When it cannot be started or fails; then with the end of its log.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let errors = file
        .try_clone()
        .with_context(|| format!("cannot share {}", log.display()))?;
    let status = to_its_end(command.stdout(file).stderr(errors))?;
    if !status.success() {
        bail!("`{}` failed ({status}); {}", shown(command), log_tail(log));
    }
    Ok(())
}

/// Runs a program to its end with its output where ours goes; Ctrl-C ends it.
///
/// # Errors
/// When it cannot be started or fails, or a signal to stop has come.
pub fn run_attended(command: &mut Command) -> Result<()> {
    let status = to_its_end(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// The same, and gives each line of its standard output to `each` once it has been shown.
///
/// # Errors
/// As [`run_attended`].
pub fn run_attended_lines(command: &mut Command, each: impl FnMut(&str) + Send) -> Result<()> {
    let mut child = start_group(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take();
    let status = thread::scope(|scope| {
        scope.spawn(move || output.map(|output| show_lines(output, each)));
        wait_attended(&mut child, command)
    })?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

fn show_lines(output: impl Read, mut each: impl FnMut(&str)) {
    let (mut output, mut line) = (BufReader::new(output), Vec::new());
    while output
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        // Where ours goes may be closed, which is no reason to stop the program.
        let _ = io::stdout().write_all(&line);
        let _ = io::stdout().flush();
        each(&String::from_utf8_lossy(&line));
        line.clear();
    }
}

fn to_its_end(command: &mut Command) -> Result<ExitStatus> {
    let mut child = start_group(command)?;
    wait_attended(&mut child, command)
}

fn start_group(command: &mut Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| not_run(command))
}

/// Waits until a program has ended. A signal to stop ends it, with everything that it started: Ctrl-C reaches all of a
/// terminal's programs, but `kill` only one.
fn wait_attended(child: &mut Child, command: &Command) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("cannot wait for `{}`", shown(command)))?
        {
            return Ok(status);
        }
        if let Err(stop) = check_interrupted() {
            terminate_group(child)?;
            let _ = child.wait();
            return Err(stop);
        }
        thread::sleep(POLL);
    }
}

fn not_run(command: &Command) -> String {
    format!(
        "cannot run `{}`: is it installed and on PATH?",
        shown(command)
    )
}

/// Starts a program that is killed when this one dies, whatever it dies of.
///
/// The kernel ties that to the *thread* that started it, so one thread that never ends starts them all.
pub(crate) fn spawn_bound(command: Command) -> io::Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static STARTER: OnceLock<Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (requests, received) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in received {
                // The asker waits for the answer, so it is there to take it.
                let _ = reply.send(command.spawn());
            }
        });
        requests
    });
    let gone = || io::Error::other("the thread that starts programs has ended");
    let (reply, answer) = channel();
    starter.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// A command that [`spawn_bound`] ties to this program. Only Linux has the means; elsewhere servers end in order or
/// stay.
pub(crate) fn bound(program: &Path) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// The full path of a program on `PATH` or in the system folders that an ordinary user's `PATH` leaves out.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The end of a log file and its name, for an error message.
pub(crate) fn log_tail(log: &Path) -> String {
    let content = std::fs::read(log).unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    if content.trim().is_empty() {
        return format!("its log {} is empty", log.display());
    }
    format!(
        "the end of its log {}:\n{}",
        log.display(),
        last_lines(&content)
    )
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// The program and its arguments, as one would type them.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a process of this number runs.
pub fn process_runs(pid: i32) -> bool {
    // A process that has ended and was not waited for yet has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Asks a process to stop.
///
/// # Errors
/// When it may not be asked. One that has stopped already is fine.
pub fn terminate(pid: i32) -> Result<()> {
    ask_to_stop(pid, rustix::process::kill_process)
}

/// Asks all processes of a child's own group to stop.
fn terminate_group(child: &Child) -> Result<()> {
    let group = i32::try_from(child.id()).context("no process number")?;
    ask_to_stop(group, rustix::process::kill_process_group)
}

fn ask_to_stop(pid: i32, kill: fn(Pid, Signal) -> rustix::io::Result<()>) -> Result<()> {
    let Some(pid) = Pid::from_raw(pid) else {
        bail!("{pid} is no process number")
    };
    match kill(pid, Signal::TERM) {
        Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
        Err(error) => Err(error).context("cannot stop the process"),
    }
}
