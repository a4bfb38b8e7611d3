// The EL2 vector table. A vector of this level saves a frame and calls Rust; Rust
// returns only for an access that the fix-up table names. One of a lower level, in
// AArch64 or AArch32, ends a plain guest's turn: back to who called suz_guest_enter.

	.macro suz_vector kind
	.balign	0x80
	sub	sp, sp, #{FRAME_SIZE}
	// One bit of a stack pointer is set on a stack and clear in the guard below
	// it; told without a register to spare by two swaps through addition.
	add	sp, sp, x0
	sub	x0, sp, x0
	tbz	x0, #{STACK_BIT}, suz_stack_overflow
	sub	x0, sp, x0
	sub	sp, sp, x0
	stp	x0, x1, [sp]
	mov	x1, #\kind
	b	suz_exception
	.endm

	.macro suz_vector_guest kind
	.balign	0x80
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\kind
	b	suz_guest_exit
	.endm

	.text
	.balign	0x800
	.global suz_vectors
suz_vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7
	suz_vector \kind
	.endr
	.irp	kind, 0, 1, 2, 3, 0, 1, 2, 3
	suz_vector_guest \kind
	.endr

	.type	suz_exception, %function
suz_exception:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x9, elr_el2
	stp	x30, x9, [sp, #240]
	mrs	x9, esr_el2
	mrs	x10, far_el2
	stp	x9, x10, [sp, #{FRAME_ESR}]
	mov	x0, sp
	bl	suz_exception_rust
	ldr	x9, [sp, #248]
	msr	elr_el2, x9
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	ldp	x0, x1, [sp]
	add	sp, sp, #{FRAME_SIZE}
	eret
	.size	suz_exception, . - suz_exception

	.type	suz_stack_overflow, %function
suz_stack_overflow:
	adrp	x9, {EMERGENCY_STACK}
	add	x9, x9, #:lo12:{EMERGENCY_STACK}
	add	sp, x9, #{EMERGENCY_STACK_SIZE}
	mrs	x1, elr_el2
	mrs	x2, far_el2
	bl	suz_stack_overflow_rust
	b	.
	.size	suz_stack_overflow, . - suz_stack_overflow

// x0 = address to read, x1 = where to put the value. Returns 0, or ESR_EL2 of
// the abort.
	.global	suz_guarded_read
	.type	suz_guarded_read, %function
suz_guarded_read:
.Lsuz_guarded_access:
	ldr	x2, [x0]
	str	x2, [x1]
	mov	x0, xzr
.Lsuz_guarded_end:
	ret
	.size	suz_guarded_read, . - suz_guarded_read

	.section .fixup, "aw"
	.balign	8
	.quad	.Lsuz_guarded_access, .Lsuz_guarded_end
	.text
