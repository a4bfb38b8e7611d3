// Into a plain guest and back.

	.arch_extension fp
	.arch_extension simd

	.text
// x0 = x0 to x30 of the guest; ELR_EL2 and SPSR_EL2 say where it goes on. Returns
// the vector it came back by: 0 synchronous, 1 IRQ, 2 FIQ, 3 SError.
	.balign	64
	.global	suz_guest_enter
	.type	suz_guest_enter, %function
suz_guest_enter:
	stp	x29, x30, [sp, #-112]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	str	x0, [sp, #96]
	ldp	x2, x3, [x0, #16]
	ldp	x4, x5, [x0, #32]
	ldp	x6, x7, [x0, #48]
	ldp	x8, x9, [x0, #64]
	ldp	x10, x11, [x0, #80]
	ldp	x12, x13, [x0, #96]
	ldp	x14, x15, [x0, #112]
	ldp	x16, x17, [x0, #128]
	ldp	x18, x19, [x0, #144]
	ldp	x20, x21, [x0, #160]
	ldp	x22, x23, [x0, #176]
	ldp	x24, x25, [x0, #192]
	ldp	x26, x27, [x0, #208]
	ldp	x28, x29, [x0, #224]
	ldr	x30, [x0, #240]
	ldp	x0, x1, [x0]
	eret
	// Nothing behind it is executed, not even by speculation.
	dsb	nsh
	isb

// The vectors of lower levels come here with x0 and x1 on the stack and their
// number in x1.
	.global	suz_guest_exit
suz_guest_exit:
	ldr	x0, [sp, #112]
	stp	x2, x3, [x0, #16]
	stp	x4, x5, [x0, #32]
	stp	x6, x7, [x0, #48]
	stp	x8, x9, [x0, #64]
	stp	x10, x11, [x0, #80]
	stp	x12, x13, [x0, #96]
	stp	x14, x15, [x0, #112]
	stp	x16, x17, [x0, #128]
	stp	x18, x19, [x0, #144]
	stp	x20, x21, [x0, #160]
	stp	x22, x23, [x0, #176]
	stp	x24, x25, [x0, #192]
	stp	x26, x27, [x0, #208]
	stp	x28, x29, [x0, #224]
	str	x30, [x0, #240]
	ldp	x2, x3, [sp], #16
	stp	x2, x3, [x0]
	mov	x0, x1
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #112
	ret
	.size	suz_guest_enter, . - suz_guest_enter

	.macro	suz_vectors_move op
	\op	q0, q1, [x0, #0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
	.endm

// x0 = where V0 to V31, FPCR and FPSR go; CPTR_EL2 lets them.
	.global	suz_fp_save
	.type	suz_fp_save, %function
suz_fp_save:
	suz_vectors_move stp
	mrs	x1, fpcr
	mrs	x2, fpsr
	add	x0, x0, #{FPCR}
	stp	x1, x2, [x0]
	ret
	.size	suz_fp_save, . - suz_fp_save

// x0 = where they come from.
	.global	suz_fp_load
	.type	suz_fp_load, %function
suz_fp_load:
	suz_vectors_move ldp
	add	x0, x0, #{FPCR}
	ldp	x1, x2, [x0]
	msr	fpcr, x1
	msr	fpsr, x2
	ret
	.size	suz_fp_load, . - suz_fp_load
