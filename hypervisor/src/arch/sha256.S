// SHA-256 compression by FEAT_SHA256. x0 = state, x1 = blocks, x2 = their number,
// at least one. Uses v0 to v7 and v16 to v23; FP and SIMD must not trap.

	.arch_extension fp
	.arch_extension simd
	.arch_extension sha2

	// Four rounds on the schedule words in \w0; with three more arguments, \w0
	// then gets the schedule words of sixteen rounds on.
	.macro suz_sha256_quad w0, w1, w2, w3
	ld1	{{v4.4s}}, [x3], #16
	add	v4.4s, v4.4s, \w0\().4s
	mov	v5.16b, v2.16b
	sha256h	q2, q3, v4.4s
	sha256h2 q3, q5, v4.4s
	.ifnb	\w1
	sha256su0 \w0\().4s, \w1\().4s
	sha256su1 \w0\().4s, \w2\().4s, \w3\().4s
	.endif
	.endm

	.text
	.global	suz_sha256
	.type	suz_sha256, %function
suz_sha256:
	ld1	{{v0.4s, v1.4s}}, [x0]
1:	adrp	x3, {ROUND_CONSTANTS}
	add	x3, x3, #:lo12:{ROUND_CONSTANTS}
	ld1	{{v16.16b, v17.16b, v18.16b, v19.16b}}, [x1], #64
	.irp	w, 16, 17, 18, 19
	rev32	v\w\().16b, v\w\().16b
	.endr
	mov	v2.16b, v0.16b
	mov	v3.16b, v1.16b
	.rept	3
	suz_sha256_quad v16, v17, v18, v19
	suz_sha256_quad v17, v18, v19, v16
	suz_sha256_quad v18, v19, v16, v17
	suz_sha256_quad v19, v16, v17, v18
	.endr
	.irp	w, 16, 17, 18, 19
	suz_sha256_quad v\w
	.endr
	add	v0.4s, v0.4s, v2.4s
	add	v1.4s, v1.4s, v3.4s
	subs	x2, x2, #1
	b.ne	1b
	st1	{{v0.4s, v1.4s}}, [x0]
	ret
	.size	suz_sha256, . - suz_sha256
