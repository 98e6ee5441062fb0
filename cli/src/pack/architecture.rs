//! For which processor a program was built.

use clap::ValueEnum;
use std::fmt;

/// The processors of EC2 that the template knows, by the names that Lambda and AMIs have for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// Graviton
    Arm64,
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// The bytes of a program that `of_program` needs.
pub(crate) const HEADER_BYTES: u64 = 20;

/// The processor of an ELF program by `e_machine` (ELF specification, "ELF header"). `None`: no ELF program, as a script
/// or a text, or for a processor that is not among ours.
pub(crate) fn of_program(header: &[u8]) -> Option<Architecture> {
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let little_endian = header.get(5) == Some(&1);
    let machine: [u8; 2] = header.get(18..20)?.try_into().ok()?;
    match if little_endian { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) } {
        183 => Some(Architecture::Arm64),
        62 => Some(Architecture::X86_64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_for_this_machine() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let here = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
        assert_eq!(of_program(&program), Some(here));
    }

    #[test]
    fn a_script_is_for_any_and_a_cut_header_says_nothing() {
        for header in [
            &b"#!/bin/sh\n"[..],
            b"",
            b"\x7fELF\x02\x01",
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0",
        ] {
            assert_eq!(of_program(header), None, "{header:?}");
        }
        let arm = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0";
        assert_eq!(of_program(arm), Some(Architecture::Arm64));
    }
}
