//! The answer to one command. In: text. Out: [`Output`], and its pieces for the wire.

use console_protocol::frame::PIECE_OCTETS_MAX;
use console_protocol::messages::Answer;

/// What a command asks of the program around the actors, once it has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// End in order.
    Stop,
    /// Read the configuration and the zones again.
    Reload,
}

/// The answer to one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// 0 is success.
    pub exit_code: u8,
    /// What is to be done after the answer was sent.
    pub wish: Option<Wish>,
    /// Nothing was done yet: the front end is to ask this first, on standard output.
    pub question: Option<String>,
}

impl Output {
    /// Success.
    pub fn done(stdout: impl Into<String>) -> Output {
        Output { stdout: stdout.into(), ..Output::default() }
    }

    /// Words on standard output and an exit code.
    pub fn said(stdout: impl Into<String>, exit_code: u8) -> Output {
        Output { stdout: stdout.into(), exit_code, ..Output::default() }
    }

    /// Words on standard error and an exit code.
    pub fn refused(stderr: impl Into<String>, exit_code: u8) -> Output {
        Output { stderr: stderr.into(), exit_code, ..Output::default() }
    }

    /// A question, with what is to be read before it; a confirmed request is not asked again.
    pub fn ask(stdout: impl Into<String>, question: &str) -> Output {
        Output { question: Some(question.to_owned()), ..Output::done(stdout) }
    }

    /// The same, with a wish.
    pub fn then(self, wish: Wish) -> Output {
        Output { wish: Some(wish), ..self }
    }

    /// The pieces in which it travels, the end last.
    pub(super) fn into_answers(self) -> impl Iterator<Item = Answer> {
        let end = match self.question {
            Some(question) => Answer::Question(question.into_bytes()),
            None => Answer::End { exit_code: self.exit_code },
        };
        let stdout = pieces(self.stdout).map(Answer::Stdout);
        let stderr = pieces(self.stderr).map(Answer::Stderr);
        stdout.chain(stderr).chain([end])
    }
}

fn pieces(text: String) -> impl Iterator<Item = Vec<u8>> {
    let octets = text.into_bytes();
    let count = octets.len().div_ceil(PIECE_OCTETS_MAX);
    (0..count).map(move |at| {
        let begin = at * PIECE_OCTETS_MAX;
        octets[begin..octets.len().min(begin + PIECE_OCTETS_MAX)].to_vec()
    })
}
