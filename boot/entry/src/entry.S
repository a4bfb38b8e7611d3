// From the boot loader's jump to the first line of Rust.
//
// In:  x0 = physical address of the flattened device tree
//      EL2, MMU off, any 2 MiB aligned address (arm64 boot protocol)
// Out: suz_main(fdt, image base, time) at EL2 with MMU and caches on, running on the
//      boot CPU's stack, BSS zeroed
//
// Kept over the whole path: x19 = image base, x20 = device tree,
// x21 = 1 where HCR_EL2.E2H is set, x22 = the physical counter at entry.

	.section .head.text, "ax"
	.global suz_head
suz_head:
	b	suz_entry			// code0
	.long	0				// code1
	.quad	0				// text_offset
	.quad	__image_size			// image_size, patched when a bundle follows
	.quad	{HEADER_FLAGS}			// flags
	.quad	0
	.quad	0
	.quad	0
	.ascii	"ARM\x64"			// magic
	.long	0
	// The bundle header: where the description of the VMs lies in this image.
	.global suz_bundle_header
suz_bundle_header:
	.quad	{BUNDLE_MAGIC}
	.quad	0				// offset from suz_head, patched
	.quad	0				// size in bytes, patched

	.text
	.balign	4
	.type	suz_entry, %function
suz_entry:
	mov	x20, x0
	mrs	x22, cntpct_el0
	adr	x19, suz_head
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	suz_park			// not EL2: there is nothing to say it with
	tst	x19, #({BLOCK_SIZE} - 1)
	b.ne	suz_park
	bl	suz_el2_setup
	bl	suz_relocate
	bl	suz_early_tables
	adrp	x0, __early_tables
	bl	suz_mmu_on

	adrp	x9, __boot_stack_end
	mov	sp, x9
	adrp	x9, __bss_start
	add	x9, x9, #:lo12:__bss_start
	adrp	x10, __bss_end
	add	x10, x10, #:lo12:__bss_end
1:	cmp	x9, x10
	b.hs	2f
	stp	xzr, xzr, [x9], #16
	b	1b
2:	msr	tpidr_el2, xzr			// CPU 0
	mov	x0, x20
	mov	x1, x19
	mov	x2, x22
	mov	x29, xzr
	mov	x30, xzr
	bl	suz_main
	// suz_main does not return.
	b	suz_park
	.size	suz_entry, . - suz_entry

// A CPU that PSCI CPU_ON has started: x0 = physical address of its SecondaryBoot.
	.global suz_secondary_entry
	.type	suz_secondary_entry, %function
suz_secondary_entry:
	mov	x20, x0
	adr	x19, suz_head
	bl	suz_el2_setup
	ldr	x0, [x20, #{SECONDARY_TTBR}]
	bl	suz_mmu_on
	ldr	x9, [x20, #{SECONDARY_STACK}]
	mov	sp, x9
	ldr	x0, [x20, #{SECONDARY_CPU}]
	msr	tpidr_el2, x0
	mov	x29, xzr
	mov	x30, xzr
	bl	suz_secondary_main
	b	suz_park
	.size	suz_secondary_entry, . - suz_secondary_entry

	.type	suz_park, %function
suz_park:
	wfe
	b	suz_park
	.size	suz_park, . - suz_park

// Brings the EL2 registers whose reset value is unknown, or whose layout hangs
// on E2H, into a known state. Sets x21.
	.type	suz_el2_setup, %function
suz_el2_setup:
	msr	daifset, #0xf
	ldr	x10, ={HCR_BASE}
	mrs	x9, id_aa64mmfr1_el1
	ubfx	x11, x9, #8, #4			// VH
	cmp	x11, #0
	cset	x21, ne
	orr	x11, x10, #{HCR_E2H}
	csel	x10, x11, x10, ne
	msr	hcr_el2, x10
	isb					// E2H changes the layout of what follows
	ubfx	x11, x9, #40, #4		// HCX
	cbz	x11, 1f
	msr	S3_4_C1_C2_2, xzr		// HCRX_EL2
1:	// FP stays trapped: this image is built without it.
	ldr	x10, ={CPTR_NVHE}
	cmp	x21, #0
	csel	x10, xzr, x10, ne
	msr	cptr_el2, x10
	// EL1 may read the physical counter and use its physical timer.
	mov	x10, #{CNTHCTL_NVHE}
	mov	x11, #{CNTHCTL_VHE}
	csel	x10, x11, x10, ne
	msr	cnthctl_el2, x10
	msr	cntvoff_el2, xzr
	msr	vttbr_el2, xzr
	msr	hstr_el2, xzr
	adrp	x10, suz_vectors
	add	x10, x10, #:lo12:suz_vectors
	msr	vbar_el2, x10
	isb
	ret
	.size	suz_el2_setup, . - suz_el2_setup

// Applies R_AARCH64_RELATIVE, the only kind a static PIE without imports has.
	.type	suz_relocate, %function
suz_relocate:
	adrp	x9, __rela_start
	add	x9, x9, #:lo12:__rela_start
	adrp	x10, __rela_end
	add	x10, x10, #:lo12:__rela_end
1:	cmp	x9, x10
	b.hs	2f
	ldp	x11, x12, [x9], #16		// offset, info
	ldr	x13, [x9], #8			// addend
	cmp	x12, #{R_RELATIVE}
	b.ne	suz_park			// ruled out by the linker script's ASSERTs
	add	x13, x13, x19
	add	x11, x11, x19
	str	x13, [x11]
	b	1b
	// Relocated words were written around the caches, which may still hold
	// them as the loader left them.
2:	adrp	x0, __text_end
	adrp	x1, __data_end
	add	x1, x1, #:lo12:__data_end
	b	suz_invalidate
	.size	suz_relocate, . - suz_relocate

// Drops [x0, x1) from the data caches. Lines are clean by the boot protocol.
	.type	suz_invalidate, %function
suz_invalidate:
	dsb	sy
	mrs	x9, ctr_el0
	ubfx	x9, x9, #16, #4			// DminLine: log2 of words
	mov	x10, #4
	lsl	x10, x10, x9
	sub	x9, x10, #1
	bic	x0, x0, x9
1:	dc	ivac, x0
	add	x0, x0, x10
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret
	.size	suz_invalidate, . - suz_invalidate

// Builds the early map: the image by pages with its final permissions, and
// 4 MiB around the device tree, read-only, by blocks. Seven tables: L0, then L1,
// L2, L3 of the image, then an L1 and two L2 for the device tree when it lies
// elsewhere.
	.type	suz_early_tables, %function
suz_early_tables:
	adrp	x0, __early_tables
	add	x1, x0, #{TABLES_SIZE}
	mov	x9, x0
1:	stp	xzr, xzr, [x9], #16
	cmp	x9, x1
	b.lo	1b

	mov	x9, #{TABLE_DESC}
	add	x1, x0, #0x1000			// L1 of the image
	add	x2, x0, #0x2000			// L2 of the image
	add	x3, x0, #0x3000			// L3 of the image
	ubfx	x10, x19, #39, #9
	orr	x11, x1, x9
	str	x11, [x0, x10, lsl #3]
	ubfx	x10, x19, #30, #9
	orr	x11, x2, x9
	str	x11, [x1, x10, lsl #3]
	ubfx	x10, x19, #21, #9
	orr	x11, x3, x9
	str	x11, [x2, x10, lsl #3]

	ldr	x12, ={PAGE_TEXT}
	cmp	x21, #0
	orr	x13, x12, #(1 << 54)		// UXN exists with E2H; without, it is XN
	csel	x12, x13, x12, ne
	mov	x13, x3
	mov	x14, x19
	adrp	x15, __text_end
	suz_fill_text:
	cmp	x14, x15
	b.hs	2f
	orr	x16, x14, x12
	str	x16, [x13], #8
	add	x14, x14, #0x1000
	b	suz_fill_text
2:	ldr	x12, ={PAGE_RODATA}
	adrp	x15, __rodata_end
3:	cmp	x14, x15
	b.hs	4f
	orr	x16, x14, x12
	str	x16, [x13], #8
	add	x14, x14, #0x1000
	b	3b
4:	ldr	x12, ={PAGE_DATA}
	adrp	x15, __image_end
5:	cmp	x14, x15
	b.hs	6f
	orr	x16, x14, x12
	str	x16, [x13], #8
	add	x14, x14, #0x1000
	b	5b
6:	adrp	x9, __boot_stack_guard
	ubfx	x10, x9, #12, #9
	str	xzr, [x3, x10, lsl #3]

	// The device tree: at most 2 MiB long, so within two blocks.
	and	x9, x20, #~({BLOCK_SIZE} - 1)
	mov	x17, #2
7:	mov	x10, #{TABLE_DESC}
	ubfx	x11, x9, #39, #9
	ldr	x12, [x0, x11, lsl #3]
	cbnz	x12, 8f
	add	x12, x0, #0x4000
	orr	x13, x12, x10
	str	x13, [x0, x11, lsl #3]
8:	and	x12, x12, #0xfffffffff000
	ubfx	x11, x9, #30, #9
	ldr	x13, [x12, x11, lsl #3]
	cbnz	x13, 9f
	add	x13, x0, #0x5000
	cmp	x17, #1
	b.ne	10f
	add	x13, x0, #0x6000		// the second block begins another GiB
10:	orr	x14, x13, x10
	str	x14, [x12, x11, lsl #3]
9:	and	x13, x13, #0xfffffffff000
	ubfx	x11, x9, #21, #9
	ldr	x14, [x13, x11, lsl #3]
	cbnz	x14, 11f			// the image's own block stays as it is
	ldr	x15, ={BLOCK_RODATA}
	orr	x14, x9, x15
	str	x14, [x13, x11, lsl #3]
11:	add	x9, x9, #{BLOCK_SIZE}
	subs	x17, x17, #1
	b.ne	7b

	add	x1, x0, #{TABLES_SIZE}
	b	suz_invalidate
	.size	suz_early_tables, . - suz_early_tables

// Turns on MMU and caches with the tables at x0.
	.global suz_mmu_on
	.type	suz_mmu_on, %function
suz_mmu_on:
	ldr	x9, ={MAIR}
	msr	mair_el2, x9
	mrs	x10, id_aa64mmfr0_el1
	and	x10, x10, #0xf			// PARange
	mov	x11, #5				// 48 bits is what 4 KiB pages reach without LPA2
	cmp	x10, x11
	csel	x10, x10, x11, lo
	cbz	x21, 1f
	ldr	x9, ={TCR_VHE}
	orr	x9, x9, x10, lsl #32
	b	2f
1:	ldr	x9, ={TCR_NVHE}
	orr	x9, x9, x10, lsl #16
2:	msr	tcr_el2, x9
	msr	ttbr0_el2, x0
	isb
	tlbi	alle2
	ic	iallu
	dsb	nsh
	isb
	ldr	x9, ={SCTLR}
	msr	sctlr_el2, x9
	isb
	ret
	.size	suz_mmu_on, . - suz_mmu_on
	.ltorg
