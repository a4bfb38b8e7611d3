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
    \op z0, [x0, #0, mul vl]
    \op z1, [x0, #1, mul vl]
    \op z2, [x0, #2, mul vl]
    \op z3, [x0, #3, mul vl]
    \op z4, [x0, #4, mul vl]
    \op z5, [x0, #5, mul vl]
    \op z6, [x0, #6, mul vl]
    \op z7, [x0, #7, mul vl]
    \op z8, [x0, #8, mul vl]
    \op z9, [x0, #9, mul vl]
    \op z10, [x0, #10, mul vl]
    \op z11, [x0, #11, mul vl]
    \op z12, [x0, #12, mul vl]
    \op z13, [x0, #13, mul vl]
    \op z14, [x0, #14, mul vl]
    \op z15, [x0, #15, mul vl]
    \op z16, [x0, #16, mul vl]
    \op z17, [x0, #17, mul vl]
    \op z18, [x0, #18, mul vl]
    \op z19, [x0, #19, mul vl]
    \op z20, [x0, #20, mul vl]
    \op z21, [x0, #21, mul vl]
    \op z22, [x0, #22, mul vl]
    \op z23, [x0, #23, mul vl]
    \op z24, [x0, #24, mul vl]
    \op z25, [x0, #25, mul vl]
    \op z26, [x0, #26, mul vl]
    \op z27, [x0, #27, mul vl]
    \op z28, [x0, #28, mul vl]
    \op z29, [x0, #29, mul vl]
    \op z30, [x0, #30, mul vl]
    \op z31, [x0, #31, mul vl]
.endm

.macro rmm_p_move op
    \op p0, [x2, #0, mul vl]
    \op p1, [x2, #1, mul vl]
    \op p2, [x2, #2, mul vl]
    \op p3, [x2, #3, mul vl]
    \op p4, [x2, #4, mul vl]
    \op p5, [x2, #5, mul vl]
    \op p6, [x2, #6, mul vl]
    \op p7, [x2, #7, mul vl]
    \op p8, [x2, #8, mul vl]
    \op p9, [x2, #9, mul vl]
    \op p10, [x2, #10, mul vl]
    \op p11, [x2, #11, mul vl]
    \op p12, [x2, #12, mul vl]
    \op p13, [x2, #13, mul vl]
    \op p14, [x2, #14, mul vl]
    \op p15, [x2, #15, mul vl]
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
