//! What both agents say of a file that they refuse, word for word: 2.x kept the sentences of 1.x. Each follows
//! "The deployment failed because ".

use crate::acl::AclProblem;

const FILE: &str = "the application specification file";
const CORRECT_PERMISSIONS: &str = "Update the permissions section of the AppSpec file, and then try again.";

pub(crate) fn empty() -> String {
    format!(
        "{FILE} was empty. Make sure your AppSpec file defines at minimum the 'version' and 'os' properties."
    )
}

pub(crate) fn version(found: &str) -> String {
    format!(
        "an invalid version value ({found}) was entered in {FILE}. Make sure your AppSpec file specifies \"0.0\" as \
         the version, and then try again."
    )
}

pub(crate) fn os(found: &str) -> String {
    format!(
        "{FILE} specifies an unsupported operating system ({found}). Specify either \"linux\" or \"windows\" in the \
         os section of the AppSpec file, and then try again."
    )
}

pub(crate) fn file_exists_behavior(found: &str) -> String {
    format!(
        "an invalid file_exists_behavior value ({found}) was entered in {FILE}. Make sure your AppSpec file specifies \
         one of DISALLOW,OVERWRITE,RETAIN as the file_exists_behavior, and then try again."
    )
}

pub(crate) fn no_location() -> String {
    format!(
        "{FILE} specifies a script with no location value. Specify the location in the hooks section of the AppSpec \
         file, and then try again."
    )
}

pub(crate) fn timeout() -> String {
    format!(
        "an invalid timeout value was provided for a script in {FILE}. Make corrections in the hooks section of the \
         AppSpec file, and then try again."
    )
}

pub(crate) fn no_source() -> String {
    format!(
        "{FILE} specifies a destination file, but no source file. Update the files section of the AppSpec file, and \
         then try again."
    )
}

pub(crate) fn no_destination(source: &str) -> String {
    format!(
        "{FILE} specifies only a source file ({source}). Add the name of the destination file to the files section of \
         the AppSpec file, and then try again."
    )
}

pub(crate) fn no_object() -> String {
    format!("a permission listed in {FILE} has no object value. {CORRECT_PERMISSIONS}")
}

pub(crate) fn mode_length(mode: &str) -> String {
    format!(
        "the length of a permissions mode ({mode}) in {FILE} is invalid. Permissions modes must be between one and \
         four characters long. {CORRECT_PERMISSIONS}"
    )
}

pub(crate) fn mode_character(mode: &str, character: char) -> String {
    format!(
        "the permissions mode ({mode}) in {FILE} contains an invalid character ({character}). {CORRECT_PERMISSIONS}"
    )
}

pub(crate) fn acl(entry: &str, problem: AclProblem) -> String {
    const PROBLEM: &str = "of a problem with the acls permission settings in";
    match problem {
        AclProblem::Form | AclProblem::Named => format!("{PROBLEM} {FILE}. Invalid acl entry ({entry})."),
        AclProblem::Base => {
            format!("{PROBLEM} {FILE}. Use mode to set the base acl entry ({entry}). {CORRECT_PERMISSIONS}")
        }
        AclProblem::Right(character) => format!(
            "the access control list (ACL) named {entry} in {FILE} contains an invalid character ({character}). \
             Correct the ACL in the hooks section of the AppSpec file, and then try again."
        ),
    }
}

pub(crate) fn context_type(found: &str) -> String {
    format!("{FILE} specifies an invalid context type ({found}). {CORRECT_PERMISSIONS}")
}

pub(crate) fn selinux_range(range: &str) -> String {
    format!(
        "of a problem with the SELinux range specified ({range}) for the context parameter in the permissions section \
         of {FILE}. Make corrections in the permissions section of the AppSpec file, and then try again."
    )
}
