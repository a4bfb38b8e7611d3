// memcpy, memmove and memset for memory the MMU maps as Normal. The compiler's
// own move 8 bytes at a time without unrolling; an exit that copies 31 registers
// shows the difference.

	.text
	.balign	16
	.global	memcpy
	.type	memcpy, %function
	// The same under a name the compiler knows nothing about.
	.global	suz_copy
	.type	suz_copy, %function
suz_copy:
memcpy:
	mov	x3, x0
.Lmemcpy_forward:
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	x4, x5, [x1]
	ldp	x6, x7, [x1, #16]
	ldp	x8, x9, [x1, #32]
	ldp	x10, x11, [x1, #48]
	add	x1, x1, #64
	stp	x4, x5, [x3]
	stp	x6, x7, [x3, #16]
	stp	x8, x9, [x3, #32]
	stp	x10, x11, [x3, #48]
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	1b
	// The low six bits of x2 are still those of what is left.
2:	tbz	x2, #5, 3f
	ldp	x4, x5, [x1], #16
	ldp	x6, x7, [x1], #16
	stp	x4, x5, [x3], #16
	stp	x6, x7, [x3], #16
3:	tbz	x2, #4, 4f
	ldp	x4, x5, [x1], #16
	stp	x4, x5, [x3], #16
4:	tbz	x2, #3, 5f
	ldr	x4, [x1], #8
	str	x4, [x3], #8
5:	tst	x2, #7
	b.eq	8f
	tbz	x2, #2, 6f
	ldr	w4, [x1], #4
	str	w4, [x3], #4
6:	tbz	x2, #1, 7f
	ldrh	w4, [x1], #2
	strh	w4, [x3], #2
7:	tbz	x2, #0, 8f
	ldrb	w4, [x1]
	strb	w4, [x3]
8:	ret
	.size	memcpy, . - memcpy

	.global	memmove
	.type	memmove, %function
memmove:
	// Forward is right unless the destination begins inside the source: each
	// round loads all it needs before it stores.
	sub	x4, x0, x1
	cmp	x4, x2
	b.hs	memcpy
	add	x3, x0, x2
	add	x1, x1, x2
1:	subs	x2, x2, #8
	b.lo	2f
	ldr	x4, [x1, #-8]!
	str	x4, [x3, #-8]!
	b	1b
2:	adds	x2, x2, #8
	b.eq	4f
3:	ldrb	w4, [x1, #-1]!
	strb	w4, [x3, #-1]!
	subs	x2, x2, #1
	b.ne	3b
4:	ret
	.size	memmove, . - memmove

	.global	memset
	.type	memset, %function
memset:
	and	x1, x1, #0xff
	mov	x4, #0x0101010101010101
	mul	x4, x1, x4
	mov	x3, x0
	subs	x2, x2, #64
	b.lo	2f
1:	stp	x4, x4, [x3]
	stp	x4, x4, [x3, #16]
	stp	x4, x4, [x3, #32]
	stp	x4, x4, [x3, #48]
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	1b
2:	tbz	x2, #5, 3f
	stp	x4, x4, [x3], #16
	stp	x4, x4, [x3], #16
3:	tbz	x2, #4, 4f
	stp	x4, x4, [x3], #16
4:	tbz	x2, #3, 5f
	str	x4, [x3], #8
5:	tbz	x2, #2, 6f
	str	w4, [x3], #4
6:	tbz	x2, #1, 7f
	strh	w4, [x3], #2
7:	tbz	x2, #0, 8f
	strb	w4, [x3]
8:	ret
	.size	memset, . - memset
