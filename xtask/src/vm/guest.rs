//! What runs in a VM, as its file and the command line say.

use super::CHECKS_WORD;
use super::document::Document;
use super::file::{Guest, Initrd, Kernel};
use super::reader::Reader;
use crate::provision::Debian;
use anyhow::{Result, bail};
use vm_config::{VmKind, VmPlan, map};

/// The word for U-Boot in a VM file.
const U_BOOT: &str = "u-boot";

impl Reader<'_> {
    pub(super) fn guest(&mut self, document: &Document, plan: &VmPlan) -> Result<Guest> {
        let payload = self.take("payload", &document.payload).cloned();
        let kernel = self.take("kernel", &document.kernel).cloned();
        match (payload, kernel) {
            (Some(payload), None) => {
                self.refuse_linux_keys(document)?;
                Ok(Guest::Payload(payload))
            }
            (None, Some(kernel)) if kernel == U_BOOT => self.u_boot(document, plan),
            (None, Some(kernel)) => Ok(self.linux(document, plan, &kernel)),
            (Some(_), Some(_)) => Err(self
                .origins
                .error("kernel", "a VM runs a kernel or a payload, not both")),
            (None, None) => bail!(
                "{}: nothing to run; add kernel = \"debian\", kernel = \"<file>\" or payload = \"<name>\"",
                self.path.display()
            ),
        }
    }

    /// U-Boot wants the memory of QEMU's virt below itself and knows nothing of
    /// Realms.
    fn u_boot(&mut self, document: &Document, plan: &VmPlan) -> Result<Guest> {
        if plan.kind == VmKind::Realm {
            let problem = "U-Boot cannot be a Realm; add kind = \"normal\"";
            return Err(self.origins.error("kernel", problem));
        }
        self.refuse_linux_keys(document)?;
        Ok(Guest::UBoot)
    }

    /// Only a Linux kernel takes some things.
    fn refuse_linux_keys(&mut self, document: &Document) -> Result<()> {
        for (key, value) in [
            ("initrd", &document.initrd),
            ("cmdline", &document.cmdline),
            ("append", &document.append),
        ] {
            if self.take(key, value).is_some() {
                return Err(self.origins.error(key, "only a Linux kernel has one"));
            }
        }
        let options = [
            ("--kernel", self.overrides.kernel.is_some()),
            ("--initrd", self.overrides.initrd.is_some()),
            ("--cmdline", self.overrides.cmdline.is_some()),
        ];
        match options.iter().find(|(_, given)| *given) {
            Some((option, _)) => bail!(
                "{option}: {} runs no Linux kernel; use it with a VM that does, as --guest linux",
                self.path.display()
            ),
            None => Ok(()),
        }
    }

    fn linux(&mut self, document: &Document, plan: &VmPlan, kernel: &str) -> Guest {
        let kernel = match (&self.overrides.kernel, kernel) {
            (Some(path), _) => {
                self.origins.note_option("kernel", "--kernel");
                Kernel::File(path.clone())
            }
            (None, word) => match [Debian::Newest, Debian::V6_1]
                .into_iter()
                .find(|debian| debian.word() == word)
            {
                Some(debian) => Kernel::Debian(debian),
                None => Kernel::File(self.relative(word)),
            },
        };
        let initrd = self.take("initrd", &document.initrd).map(String::as_str);
        let initrd = match (&self.overrides.initrd, initrd) {
            (Some(path), _) => {
                self.origins.note_option("initrd", "--initrd");
                Initrd::File(path.clone())
            }
            (None, Some("builtin")) => Initrd::BuiltIn,
            (None, Some(path)) => Initrd::File(self.relative(path)),
            (None, None) => Initrd::None,
        };
        let cmdline = self.take("cmdline", &document.cmdline).cloned();
        let cmdline = self.overrides.cmdline.clone().or(cmdline);
        let moves_data = plan.devices.slots().next().is_some() || !document.devices.disk.is_empty();
        let mut words = vec![cmdline.unwrap_or_else(|| default_cmdline(plan, moves_data))];

        words.extend(self.take("append", &document.append).cloned());
        let told = words.iter().flat_map(|words| words.split(' '));
        if self.overrides.headless && !told.into_iter().any(|word| word == CHECKS_WORD) {
            words.push(CHECKS_WORD.to_owned());
        }
        Guest::Linux {
            kernel,
            initrd,
            cmdline: words.join(" ").trim().to_owned(),
        }
    }
}

/// The command line of a kernel whose VM file has none.
///
/// - The early console is set up before a Realm's kernel knows that devices are
///   at their shared alias, so its address must say so.
/// - Left alone, Linux fills 64 MiB of private memory for bounce buffers and at
///   once gives them up as private memory. One MiB is enough where
///   no device does DMA, 16 MiB are where some do.
/// - A panic restarts the guest, which the host sees, rather than hang it.
/// - The self-tests of ciphers take half of the time to boot.
fn default_cmdline(plan: &VmPlan, moves_data: bool) -> String {
    let uart = match plan.kind {
        VmKind::Realm => plan.shared_alias(map::UART_BASE),
        VmKind::Normal => map::UART_BASE,
    };
    let console = format!("earlycon=pl011,mmio32,{:#x} console=ttyAMA0", uart.raw());
    let slabs = match moves_data {
        true => 8192,
        false => 512,
    };
    format!("{console} swiotlb={slabs} panic=-1 cryptomgr.notests")
}
