//! The registry of rules: each has a code that stays, and says what happens on an instance.
//!
//! `GL0…` is about the ZIP, `GL1…` about its entries, `GL2…` about the AppSpec file's text, `GL3…` about its hooks,
//! `GL4…` about what Install does, `GL5…` about scripts and the kit. A code is never used for another rule.

use super::Fails::{self, Everywhere, Nowhere, With};
use super::{Agent::One, Agent::Two};
use std::fmt;

/// `Name "code" title: who fails, what happens on an instance;` makes the enum, in the order of the codes.
macro_rules! codes {
    ($($name:ident $code:literal $title:literal: $fails:expr, $on_instance:literal;)*) => {
        /// A rule that a bundle is held to.
        #[expect(clippy::doc_markdown, reason = "titles are printed as they are")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code, `GL012`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The fault in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Whose deployments fail on it, where a finding does not say otherwise.
            pub fn fails(self) -> Fails {
                match self { $(Self::$name => $fails,)* }
            }

            /// What happens on an instance, as a sentence.
            pub fn on_instance(self) -> &'static str {
                match self { $(Self::$name => $on_instance,)* }
            }
        }
    };
}

codes! {
    NotZip "GL001" "The upload is not a ZIP": Everywhere, "The agent cannot unpack it, and DownloadBundle fails.";
    CutShort "GL002" "The ZIP is cut short": Everywhere, "The agent cannot unpack it, and DownloadBundle fails.";
    BytesAfterEnd "GL003" "Something follows the ZIP's end": Everywhere, "Programs disagree about where the ZIP ends, so what is unpacked may not be what was judged.";
    Misplaced "GL004" "Bytes were added to the ZIP or lost": Everywhere, "unzip leaves with an error or takes other bytes than those that were judged.";
    Damaged "GL005" "The ZIP contradicts itself": Everywhere, "What is unpacked depends on the program: it fails, or another file is deployed than was judged.";
    Split "GL006" "The ZIP is one part of several": Everywhere, "The other parts are not on the instance, and DownloadBundle fails.";
    TooManyEntries "GL007" "The ZIP has too many entries": Everywhere, "Unpacking takes minutes and inodes, on every instance, for each revision that is kept.";
    DirectoryTooLarge "GL008" "The ZIP's directory is too large": Everywhere, "The names alone fill the memory that the judge has.";
    UnpacksTooLarge "GL009" "The bundle unpacks to too much": Everywhere, "The disk fills up, which stops this release and every later one.";
    ExpandsTooFar "GL010" "The bundle unpacks to many times its size": Everywhere, "The disk fills up, which stops this release and every later one.";
    EntryTooLarge "GL011" "A file that has to be read is too large": Everywhere, "The agent reads it whole into memory.";
    Encrypted "GL012" "An entry is encrypted": Everywhere, "The agent has no password, and DownloadBundle fails.";
    Method "GL013" "An entry is packed in a way that not every unpacker knows": Everywhere, "Where unzip does not know it, the agent's own unpacker fails as well.";
    SizeLie "GL014" "An entry states a size that it cannot have": Everywhere, "It unpacks to other bytes than it says, up to a full disk.";
    TwoNames "GL015" "An entry has two names": Everywhere, "unzip takes one and other programs the other, so what is deployed is not what was judged.";
    ExecuteBitsLost "GL016" "unzip complains, and the agent unpacks without modes": Nowhere, "Agent 1.x unpacks with Ruby instead, which sets no execute bits: a program of the bundle cannot be started.";
    TwoKinds "GL017" "An entry is a link to one program and a file to another": Everywhere, "What lies at its place depends on the program that unpacks, so what is deployed may not be what was judged.";
    BytesBefore "GL018" "Something stands before the ZIP's first entry": Nowhere, "It stays in the ZIP and is not unpacked.";

    NoAppSpec "GL101" "There is no appspec.yml at the root": Everywhere, "The agent finds nothing to do and fails the deployment.";
    AbsoluteName "GL102" "An entry's path is absolute": Everywhere, "It is written outside the bundle's folder, or left out.";
    ClimbingName "GL103" "An entry's path climbs": Everywhere, "It is written outside the bundle's folder, or left out.";
    ImpossibleName "GL104" "An entry has a name that no file can have": Everywhere, "It cannot be unpacked.";
    DuplicateEntry "GL105" "Two entries have one name": Everywhere, "Which one is deployed depends on the program that unpacks.";
    FileAboveEntries "GL106" "A file has entries below it": Everywhere, "One of the two cannot be unpacked.";
    LinkLeaves "GL107" "A symbolic link leaves the bundle": Everywhere, "Install follows it and copies what is on the instance at that place.";
    TooManyLinks "GL108" "There are too many symbolic links to check": Everywhere, "Where they lead was not looked at.";
    LongName "GL109" "A name or path is longer than Linux allows": Everywhere, "unzip cuts it or fails, and the agent says that the disk is full.";
    NameNotUtf8 "GL110" "A name is not UTF-8": With(One), "Agent 1.x cannot write its list of files, and Install fails.";
    Backslash "GL111" "A name has a backslash": Nowhere, "One unpacker takes it for a folder and another for a letter.";

    NotUtf8 "GL201" "appspec.yml is not UTF-8": Everywhere, "The agent cannot read it.";
    ByteOrderMark "GL202" "appspec.yml starts with a byte order mark": Everywhere, "It hides the keys below the first line from the agent.";
    Empty "GL203" "appspec.yml is empty": Everywhere, "The agent fails the deployment before any hook.";
    Syntax "GL204" "appspec.yml is not YAML": Everywhere, "The agent cannot read it.";
    NotAMapping "GL205" "appspec.yml is not a mapping": Everywhere, "The agent finds no version in it and fails the deployment.";
    Alias "GL206" "appspec.yml uses an alias": With(One), "Ruby 3.1 and later refuse aliases, and the agent stops.";
    Tag "GL207" "appspec.yml uses a tag": With(One), "Ruby does not make such an object, and the agent stops.";
    Date "GL208" "A value is a date to Ruby": With(One), "Ruby refuses dates, and the agent stops.";
    Number "GL209" "A value looks like a number and is none": With(One), "Ruby stops at it, and so does the agent.";
    SecondDocument "GL210" "Something follows the first document": With(Two), "Agent 1.x does not read it, agent 2.x refuses the file.";
    DuplicateKey "GL211" "A key is given twice": With(Two), "In agent 1.x the last one counts, agent 2.x refuses the file.";
    UnknownKey "GL212" "A key is none that the agent knows": Nowhere, "The agent passes over it without a word.";
    Version "GL213" "The version is not 0.0": Everywhere, "The agent fails the deployment before any hook.";
    Os "GL214" "The os is not linux": Everywhere, "The agent fails the deployment before any hook.";
    Shape "GL215" "A list or mapping was expected": Everywhere, "The agent stops with an error of its own that names no line.";
    Type "GL216" "A value has a type that agent 2.x does not take": With(Two), "Agent 1.x makes a text or number of it, agent 2.x refuses the file.";
    FileExistsBehavior "GL217" "file_exists_behavior has an unknown value": Everywhere, "The agent fails the deployment before any hook.";
    RefusedByAgent1 "GL218" "Agent 1.x refuses the file": With(One), "The deployment fails before any hook.";
    RefusedByAgent2 "GL219" "Agent 2.x refuses the file": With(Two), "The deployment fails before any hook.";

    UnknownEvent "GL301" "A hook names no lifecycle event": Everywhere, "Install fails and says that the file contains unknown lifecycle events.";
    ReservedEvent "GL302" "A hook names an event that CodeDeploy keeps for itself": Everywhere, "Install fails and says that the file contains unknown lifecycle events.";
    NeverRuns "GL303" "Scripts stand under an event in which none run": Nowhere, "They are never started, and nobody says so.";
    NoLocation "GL304" "A script has no location": Everywhere, "The agent fails the deployment before any hook.";
    Timeout "GL305" "A time-out is not a plain number of seconds": Everywhere, "The agent fails the deployment before any hook, or waits for another time than is meant.";
    TimeoutsTooLong "GL306" "The time-outs of an event are longer than an hour together": Everywhere, "CodeDeploy ends an event after 3,600 seconds.";
    NoTimeout "GL307" "Scripts of one event have no time-out": Nowhere, "Each may take 3,600 seconds, and CodeDeploy ends the event after the first 3,600.";
    EmptyRunas "GL308" "runas is empty": Nowhere, "Agent 1.x calls su without a user, which is root; agent 2.x takes it for absent.";
    ScriptMissing "GL309" "A script is not in the bundle": Everywhere, "The event fails with ScriptMissing.";
    ScriptIsFolder "GL310" "A script's location is a folder": Everywhere, "The event fails: a folder cannot be started.";
    Arguments "GL311" "A location has arguments": Everywhere, "The agent takes them for a part of the file's name, and the event fails with ScriptMissing.";
    ShellPath "GL312" "A script's path means something to a shell": With(One), "Agent 1.x hands the path to a shell as it is, which takes it for several words or a command.";
    Leaves "GL313" "A path leaves the bundle": Everywhere, "The agent reads what is on the instance at that place, or nothing.";
    ApplicationStop "GL315" "There is an ApplicationStop hook": Nowhere, "It runs from the previous revision, at the next release, against the colour that is live.";
    NoValidateService "GL316" "ValidateService has no script": Nowhere, "The deployment ends before any traffic has moved, and the release is taken back.";

    NoSource "GL401" "An item of files has no source": Everywhere, "The agent fails the deployment before any hook.";
    NoDestination "GL402" "An item of files has no destination": Everywhere, "The agent fails the deployment before any hook.";
    SourceMissing "GL403" "A source is not in the bundle": Everywhere, "Install fails: no such file or directory.";
    CopiedTwice "GL404" "Two sources are put at one place": Everywhere, "Install fails: it will not copy two files to one place.";
    FileMeetsFolder "GL405" "A file and a folder are put at one place": Everywhere, "Install fails on the one that comes second.";
    RelativeDestination "GL406" "A destination is not an absolute path": Everywhere, "Install fails, or writes below the folder in which the agent was started.";
    LinkCircle "GL407" "Symbolic links to folders lead round in a circle": Everywhere, "Install follows them: it copies the same files again and again, or never ends.";
    LinkLeavesSource "GL408" "A symbolic link leaves the folder that is copied": Nowhere, "Install copies the link as it is, and at the destination it leads nowhere.";
    PermissionTwice "GL409" "Permissions are set twice for one object": Everywhere, "Install fails: the permission setting is specified more than once.";
    PermissionOfFile "GL410" "A permission for a folder is given to a file": Everywhere, "Install fails, or agent 2.x refuses the file.";
    NoObject "GL411" "An item of permissions has no object": Everywhere, "The agent fails the deployment before any hook.";
    Mode "GL412" "A mode is not one to four octal digits": Everywhere, "The agent fails the deployment before any hook.";
    OtherMode "GL413" "A mode becomes another number": Nowhere, "Agent 1.x sets other bits than are written; agent 2.x sets those that are written.";
    PermissionType "GL414" "A permission's type is neither file nor directory": Everywhere, "The agent fails the deployment before any hook.";
    Acl "GL415" "An entry of acls is malformed": Everywhere, "The agent fails the deployment before any hook.";
    Context "GL416" "An SELinux context is malformed": Everywhere, "The agent fails the deployment before any hook.";
    NotText "GL417" "A value that has to be a text is something else": With(One), "Install fails with an error of Ruby's that names neither file nor line.";
    ManyFiles "GL418" "Install makes more files than the bundle has": Everywhere, "Folder links multiply what is copied, and the disk fills up.";
    StateOverwritten "GL419" "A destination holds what the colours live on": Everywhere, "Install first deletes what the previous revision laid there: the live colour loses its files or its port.";
    ExceptPath "GL420" "An exception is written as a path": Nowhere, "Nothing is left out: only the names of the folder's own files are compared.";
    PermissionOfLostLink "GL421" "Permissions are set on a link that leads nowhere": Everywhere, "Install follows the link and fails: no such file or directory.";

    NoInterpreter "GL501" "A script does not start with #! and an interpreter": With(Two), "Agent 1.x hands it to sh, whatever it is written in; agent 2.x says Exec format error.";
    CarriageReturn "GL502" "A script has Windows line ends": Everywhere, "The kernel looks for an interpreter whose name ends in a carriage return and finds none.";
    BadInterpreter "GL503" "A script's interpreter cannot be started": Everywhere, "The event fails with exit status 126 or 127.";
    NotAScript "GL504" "A script is not a text": Everywhere, "The event fails, or a shell runs what it makes of the bytes and reports success.";
    LoopOutlastsTimeout "GL505" "A loop may last longer than the script's time-out": Nowhere, "The agent ends the script before the loop can say what it found.";
    BackgroundChild "GL506" "A script leaves a child with its outputs open": Nowhere, "The agent waits for the outputs and fails the event at its time-out, although the script has succeeded.";
    Secret "GL507" "The bundle holds a secret": Nowhere, "Everybody who may read the bucket or the instance's disk can read it, for as long as the agent keeps it.";
    NoRuntime "GL508" "There is nothing to start": Everywhere, "The kit finds neither compose.yaml nor app nor start.sh and fails AfterInstall.";
    KitHookMissing "GL509" "A hook of the kit is missing": Nowhere, "The release is not asked about, and traffic does not move.";
    KitIsOld "GL510" "The kit's hooks are older than the functions": Nowhere, "They do not report what the functions judge by: CloudWatch's counts alone decide, minutes later.";
    HookTooShort "GL511" "ValidateService ends before the release can": Everywhere, "The deployment fails in the middle of the shift, and the release is taken back.";
    ImageTooLarge "GL512" "The image does not fit on the disk": Everywhere, "The disk fills up while the image is loaded, and the release fails.";
    Smoke "GL513" "smoke.txt is not what the kit reads": Everywhere, "ValidateService fails, because the kit does not know what to ask.";
    SmokeUnasked "GL514" "Nothing asks what smoke.txt names": Nowhere, "The kit is older and passes over it: the release goes on as if nothing were named.";
    MigrateUnrun "GL515" "Nothing runs migrate": Nowhere, "The kit is older and passes over it: the release goes on with the schema that is there.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unlike_each_other_and_stand_in_their_order() {
        for pair in Code::ALL.windows(2) {
            let [first, second] = pair else { continue };
            assert!(first.as_str() < second.as_str(), "{first} {second}");
        }
    }

    #[test]
    fn what_happens_is_a_sentence_and_a_title_is_none() {
        for code in Code::ALL {
            assert!(code.on_instance().ends_with('.'), "{code}");
            assert!(!code.title().ends_with('.') && code.title().len() <= 70, "{code}");
        }
    }
}
