// Vector registers to and from memory. Nothing here traps: the callers have
// opened CPTR_EL2.

.arch_extension fp
.arch_extension simd
.arch_extension sve

.macro rmm_v_move op
    \op q0, q1, [x0, #0]
    \op q2, q3, [x0, #32]
    \op q4, q5, [x0, #64]
    \op q6, q7, [x0, #96]
    \op q8, q9, [x0, #128]
    \op q10, q11, [x0, #160]
    \op q12, q13, [x0, #192]
    \op q14, q15, [x0, #224]
    \op q16, q17, [x0, #256]
    \op q18, q19, [x0, #288]
    \op q20, q21, [x0, #320]
    \op q22, q23, [x0, #352]
    \op q24, q25, [x0, #384]
    \op q26, q27, [x0, #416]
    \op q28, q29, [x0, #448]
    \op q30, q31, [x0, #480]
.endm

.macro rmm_z_move op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op z\n, [x0, #\n, mul vl]
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op z\n, [x0, #\n, mul vl]
    .endr
.endm

.macro rmm_p_move op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op p\n, [x2, #\n, mul vl]
    .endr
.endm

.section .text.simd, "ax"
.global rmm_fp_save
.type rmm_fp_save, %function
rmm_fp_save:
    rmm_v_move stp
    mrs x1, fpcr
    mrs x2, fpsr
    add x3, x0, #{FPCR}
    stp x1, x2, [x3]
    ret
.size rmm_fp_save, . - rmm_fp_save

.global rmm_fp_load
.type rmm_fp_load, %function
rmm_fp_load:
    rmm_v_move ldp
    add x3, x0, #{FPCR}
    ldp x1, x2, [x3]
    msr fpcr, x1
    msr fpsr, x2
    ret
.size rmm_fp_load, . - rmm_fp_load

// x0: area, x1: whether the CPU has SVE.
.global rmm_host_save
.type rmm_host_save, %function
rmm_host_save:
    cbnz x1, 1f
    rmm_v_move stp
    b 2f
1:  mov x2, #{P}
    add x2, x0, x2
    rmm_z_move str
    rmm_p_move str
    rdffr p0.b
    str p0, [x2, #16, mul vl]
2:  mov x3, #{HOST_FPCR}
    add x0, x0, x3
    mrs x1, fpcr
    mrs x2, fpsr
    stp x1, x2, [x0]
    ret
.size rmm_host_save, . - rmm_host_save

// x0: area, x1: whether the CPU has SVE.
.global rmm_host_load
.type rmm_host_load, %function
rmm_host_load:
    cbnz x1, 1f
    rmm_v_move ldp
    b 2f
1:  mov x2, #{P}
    add x2, x0, x2
    ldr p0, [x2, #16, mul vl]
    wrffr p0.b
    rmm_p_move ldr
    rmm_z_move ldr
2:  mov x3, #{HOST_FPCR}
    add x0, x0, x3
    ldp x1, x2, [x0]
    msr fpcr, x1
    msr fpsr, x2
    ret
.size rmm_host_load, . - rmm_host_load
