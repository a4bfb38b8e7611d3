// SHA-256 compression with FEAT_SHA256. The caller owns the vector registers.

.arch_extension fp
.arch_extension simd
.arch_extension sha2

// Four rounds with the schedule words in \w0; the next words replace them.
.macro rmm_sha256_rounds w0, w1, w2, w3
    ld1 {v20.4s}, [x4], #16
    add v20.4s, v20.4s, \w0\().4s
    mov v4.16b, v2.16b
    sha256h q2, q3, v20.4s
    sha256h2 q3, q4, v20.4s
    sha256su0 \w0\().4s, \w1\().4s
    sha256su1 \w0\().4s, \w2\().4s, \w3\().4s
.endm

// The last sixteen rounds need no further words.
.macro rmm_sha256_last w0
    ld1 {v20.4s}, [x4], #16
    add v20.4s, v20.4s, \w0\().4s
    mov v4.16b, v2.16b
    sha256h q2, q3, v20.4s
    sha256h2 q3, q4, v20.4s
.endm

// x0: state, x1: blocks, x2: how many, x3: round constants.
.section .text.sha256, "ax"
.global rmm_sha256
.type rmm_sha256, %function
rmm_sha256:
    cbz x2, 2f
    ld1 {v0.4s, v1.4s}, [x0]
1:  ld1 {v16.16b, v17.16b, v18.16b, v19.16b}, [x1], #64
    mov x4, x3
    rev32 v16.16b, v16.16b
    rev32 v17.16b, v17.16b
    rev32 v18.16b, v18.16b
    rev32 v19.16b, v19.16b
    mov v2.16b, v0.16b
    mov v3.16b, v1.16b
    .rept 3
    rmm_sha256_rounds v16, v17, v18, v19
    rmm_sha256_rounds v17, v18, v19, v16
    rmm_sha256_rounds v18, v19, v16, v17
    rmm_sha256_rounds v19, v16, v17, v18
    .endr
    rmm_sha256_last v16
    rmm_sha256_last v17
    rmm_sha256_last v18
    rmm_sha256_last v19
    add v0.4s, v0.4s, v2.4s
    add v1.4s, v1.4s, v3.4s
    subs x2, x2, #1
    b.ne 1b
    st1 {v0.4s, v1.4s}, [x0]
2:  ret
.size rmm_sha256, . - rmm_sha256
