//! Gathering what a VM file names: files read, tree generated, all placed.

use super::devices::{DiskHolds, DiskSource, disk_key};
use super::fdt::Machine;
use super::file::{Guest, Initrd, Kernel, VmFile};
use super::layout::{DTB_ROOM, Layout, Sizes, memory_layout};
use super::{Sources, initramfs, kernel};
use crate::provision::Debian;
use addr::{Ipa, IpaRange};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use vm_config::{Contents, DiskContents, DiskImage, RegionKind, VmSource, map};

/// Bytes U-Boot has more than enough of for its BSS.
const U_BOOT_BSS: u64 = 1 << 20;

/// A guest's files in memory.
struct Files {
    kind: RegionKind,
    image: Vec<u8>,
    text_offset: u64,
    /// Bytes of memory the image takes.
    image_size: u64,
    initrd: Vec<u8>,
    cmdline: String,
}

impl VmFile {
    /// The VM with everything its memory holds at first.
    pub fn source(&self, sources: &dyn Sources) -> Result<VmSource> {
        let files = match &self.guest {
            Guest::Payload(bin) => self.payload(bin, sources)?,
            Guest::UBoot => self.u_boot(sources)?,
            Guest::Linux {
                kernel,
                initrd,
                cmdline,
            } => self.linux(kernel, initrd, cmdline, sources)?,
        };
        let sizes = Sizes {
            kind: files.kind,
            text_offset: files.text_offset,
            image: files.image_size,
            initrd: files.initrd.len() as u64,
        };
        let layout = memory_layout(self.plan.memory, &sizes, &self.fixed)
            .map_err(|problem| self.refusal(problem))?;
        let dtb = self.dtb(&files, &layout)?;
        let mut plan = self.plan.clone();
        plan.entry = layout.image;
        plan.x0 = layout.dtb.raw();
        let mut contents = vec![
            self.contents(files.kind, layout.image, files.image),
            self.contents(RegionKind::Dtb, layout.dtb, dtb),
        ];
        if !files.initrd.is_empty() {
            contents.push(self.contents(RegionKind::Initrd, layout.initrd, files.initrd));
        }
        let disks = self.disks.iter().enumerate();
        let disks = disks.map(|(number, disk)| self.disk(disk_key(number), disk));
        Ok(VmSource {
            plan,
            contents,
            disks: disks.collect::<Result<_>>()?,
        })
    }

    fn disk(&self, key: &str, disk: &DiskSource) -> Result<DiskImage> {
        let contents = match &disk.holds {
            DiskHolds::Zeros(size) => DiskContents::Zeros(*size),
            DiskHolds::File(path) => DiskContents::Bytes(self.read(key, path)?),
        };
        Ok(DiskImage {
            contents,
            readonly: disk.readonly,
        })
    }

    /// The virtio-mmio slots that its devices take.
    fn slots(&self) -> Vec<usize> {
        let disks = map::VIRTIO_DISK..map::VIRTIO_DISK + self.disks.len();
        self.plan.devices.slots().chain(disks).collect()
    }

    fn contents(&self, kind: RegionKind, ipa: Ipa, bytes: Vec<u8>) -> Contents {
        Contents {
            kind,
            ipa,
            bytes,
            measured: self.measured.contains(&kind),
        }
    }

    fn dtb(&self, files: &Files, layout: &Layout) -> Result<Vec<u8>> {
        let machine = Machine {
            kind: self.plan.kind,
            memory: self.plan.memory,
            vcpus: self.plan.vcpus.min(vm_config::MAX_VCPUS),
            slots: self.slots(),
            bootargs: files.cmdline.clone(),
            initrd: IpaRange::with_size(layout.initrd, files.initrd.len() as u64).ok(),
        };
        let dtb = machine.to_dtb();
        if dtb.len() as u64 > DTB_ROOM {
            return Err(self.origins.error(
                "cmdline",
                format_args!("the device tree does not fit into {DTB_ROOM} bytes"),
            ));
        }
        Ok(dtb)
    }

    fn payload(&self, bin: &str, sources: &dyn Sources) -> Result<Files> {
        let path = sources
            .payload(bin)
            .with_context(|| self.origins.error("payload", format_args!("\"{bin}\"")))?;
        let image = self.read("payload", &path)?;
        Ok(Files {
            kind: RegionKind::Payload,
            image_size: image.len() as u64,
            text_offset: 0,
            image,
            initrd: Vec::new(),
            cmdline: String::new(),
        })
    }

    fn linux(
        &self,
        kernel: &Kernel,
        initrd: &Initrd,
        cmdline: &str,
        sources: &dyn Sources,
    ) -> Result<Files> {
        let image = match kernel {
            Kernel::Debian(debian) => self.read("kernel", &sources.linux(*debian)?.kernel)?,
            Kernel::File(path) => self.read("kernel", path)?,
        };
        let header =
            kernel::header(&image).map_err(|problem| self.origins.error("kernel", problem))?;
        let initrd = match initrd {
            Initrd::None => Vec::new(),
            Initrd::BuiltIn => self.built_in(kernel, sources)?,
            Initrd::File(path) => self.read("initrd", path)?,
        };
        Ok(Files {
            kind: RegionKind::Kernel,
            image,
            text_offset: header.text_offset,
            image_size: header.image_size,
            initrd,
            cmdline: cmdline.to_owned(),
        })
    }

    /// The initial file system of this project, for this kernel. One that is not
    /// Debian's must have drivers built in.
    fn built_in(&self, kernel: &Kernel, sources: &dyn Sources) -> Result<Vec<u8>> {
        let (kit, drivers) = match kernel {
            Kernel::Debian(debian) => (sources.linux(*debian)?, initramfs::drivers(&self.slots())),
            Kernel::File(_) => (sources.linux(Debian::Newest)?, Vec::new()),
        };
        let busybox = self.read("initrd", &kit.busybox)?;
        let modules = initramfs::load(&kit.modules, &drivers)?;
        initramfs::build(&busybox, &modules)
    }

    /// U-Boot expects its device tree where RAM starts, and itself somewhere
    /// above the stack it puts 2 MiB behind that.
    fn u_boot(&self, sources: &dyn Sources) -> Result<Files> {
        let path = sources.u_boot()?;
        let image = self.read("kernel", &path)?;
        Ok(Files {
            kind: RegionKind::Payload,
            // With its BSS, which lies right behind it.
            image_size: image.len() as u64 + U_BOOT_BSS,
            text_offset: 0,
            image,
            initrd: Vec::new(),
            cmdline: String::new(),
        })
    }

    fn read(&self, key: &str, path: &Path) -> Result<Vec<u8>> {
        fs::read(path).map_err(|error| {
            let path = path.display();
            self.origins
                .error(key, format_args!("cannot read {path}: {error}"))
        })
    }
}
