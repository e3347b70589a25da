// SPDX-License-Identifier: Apache-2.0
// Fields of system registers as whole masks, in alphabetical order of register (DDI 0487 D19). The only place for them.
#pragma once

#include <hv/bits.h>

// CNTHCTL_EL2 (HCR_EL2.E2H = 0)
#define CNTHCTL_EL2_EL1PCTEN BIT64(0)
#define CNTHCTL_EL2_EL1PCEN  BIT64(1)

// CNTx_CTL (CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2)
#define CNTX_CTL_ENABLE  BIT64(0)
#define CNTX_CTL_IMASK   BIT64(1)
#define CNTX_CTL_ISTATUS BIT64(2)

// CPTR_EL2 (HCR_EL2.E2H = 0)
#define CPTR_EL2_RES1  0x32ff
#define CPTR_EL2_TZ    BIT64(8)
#define CPTR_EL2_TFP   BIT64(10)
#define CPTR_EL2_TSM   BIT64(12)
#define CPTR_EL2_TTA   BIT64(20)
#define CPTR_EL2_TAM   BIT64(30)
#define CPTR_EL2_TCPAC BIT64(31)

// CTR_EL0
#define CTR_EL0_DMINLINE GENMASK64(19, 16)

// DBGDIDR
#define DBGDIDR_RES1     BIT64(15)
#define DBGDIDR_VERSION  GENMASK64(19, 16)
#define DBGDIDR_CTX_CMPS GENMASK64(23, 20)
#define DBGDIDR_BRPS     GENMASK64(27, 24)
#define DBGDIDR_WRPS     GENMASK64(31, 28)

// ESR_ELx
#define ESR_ELX_EC               GENMASK64(31, 26)
#define ESR_ELX_IL               BIT64(25)
#define ESR_ELX_ISS              GENMASK64(24, 0)
#define ESR_ELX_ISS_IMM16        GENMASK64(15, 0)
#define ESR_ELX_ISS_WFX_TI       GENMASK64(1, 0)
#define ESR_ELX_ISS_WFX_TI_WFE   BIT64(0) // WFE or WFET
#define ESR_ELX_ISS_WFX_TI_TIMED BIT64(1) // WFIT or WFET

// ESR_ELx.EC values that the code names (cause_table.h has them all); "LOWER" + 1 is the same exception from EL1 to EL1
#define ESR_EC_UNKNOWN          0x00
#define ESR_EC_WFX              0x01
#define ESR_EC_CP15             0x03 // AArch32: MCR, MRC
#define ESR_EC_CP15_64          0x04 // MCRR, MRRC
#define ESR_EC_CP14             0x05 // MCR, MRC
#define ESR_EC_VMRS             0x08
#define ESR_EC_CP14_64          0x0c // MRRC
#define ESR_EC_HVC64            0x16
#define ESR_EC_SYSREG           0x18
#define ESR_EC_IABT_LOWER       0x20
#define ESR_EC_PC_ALIGNMENT     0x22
#define ESR_EC_DABT_LOWER       0x24
#define ESR_EC_BREAKPOINT_LOWER 0x30
#define ESR_EC_STEP_LOWER       0x32
#define ESR_EC_WATCHPOINT_LOWER 0x34
#define ESR_EC_BKPT32           0x38
#define ESR_EC_BRK              0x3c

// ESR_ELx.ISS of an instruction or data abort (EC 0x20, 0x21, 0x24, 0x25)
#define ISS_ABORT_ISV   BIT64(24)
#define ISS_ABORT_SAS   GENMASK64(23, 22)
#define ISS_ABORT_SSE   BIT64(21)
#define ISS_ABORT_SRT   GENMASK64(20, 16)
#define ISS_ABORT_SF    BIT64(15)
#define ISS_ABORT_AR    BIT64(14)
#define ISS_ABORT_FNV   BIT64(10)
#define ISS_ABORT_EA    BIT64(9)
#define ISS_ABORT_CM    BIT64(8)
#define ISS_ABORT_S1PTW BIT64(7)
#define ISS_ABORT_WNR   BIT64(6)
#define ISS_ABORT_FSC   GENMASK64(5, 0)

// Fault status codes; where "+ level" is said, bits 1:0 are the level
#define FSC_ADDRESS_SIZE  0x00 // + level
#define FSC_TRANSLATION   0x04 // + level
#define FSC_ACCESS_FLAG   0x08 // + level
#define FSC_PERMISSION    0x0c // + level
#define FSC_EXTERNAL      0x10
#define FSC_TAG           0x11
#define FSC_EXTERNAL_WALK 0x14 // + level
#define FSC_PARITY        0x18
#define FSC_PARITY_WALK   0x1c // + level
#define FSC_ALIGNMENT     0x21
#define FSC_TLB_CONFLICT  0x30
#define FSC_HARDWARE_FLAG 0x31 // unsupported atomic hardware update of a descriptor
#define FSC_LOCKDOWN      0x34
#define FSC_ATOMIC        0x35 // exclusive or atomic on memory that does not support it

// ESR_ELx.ISS of an MSR, MRS or system instruction (EC 0x18)
#define ISS_SYSREG_OP0       GENMASK64(21, 20)
#define ISS_SYSREG_OP2       GENMASK64(19, 17)
#define ISS_SYSREG_OP1       GENMASK64(16, 14)
#define ISS_SYSREG_CRN       GENMASK64(13, 10)
#define ISS_SYSREG_RT        GENMASK64(9, 5)
#define ISS_SYSREG_CRM       GENMASK64(4, 1)
#define ISS_SYSREG_DIRECTION BIT64(0) // 1 = read

// The same of MCR, MRC and VMRS (EC 0x03, 0x05, 0x08), but for COND in the place of Op0; MCRR and MRRC (EC 0x04, 0x0c)
// have these instead of Op1 and Op2. WFI, WFE (EC 0x01) and FP (EC 0x07) have COND, too.
#define ISS_COND_VALID BIT64(24) // CV
#define ISS_COND       GENMASK64(23, 20)
#define ISS_MCRR_OPC1  GENMASK64(19, 16)
#define ISS_MCRR_RT2   GENMASK64(14, 10)

// HCR_EL2
#define HCR_EL2_VM     BIT64(0)
#define HCR_EL2_SWIO   BIT64(1)
#define HCR_EL2_PTW    BIT64(2)
#define HCR_EL2_FMO    BIT64(3)
#define HCR_EL2_IMO    BIT64(4)
#define HCR_EL2_AMO    BIT64(5)
#define HCR_EL2_VSE    BIT64(8)
#define HCR_EL2_TWI    BIT64(13)
#define HCR_EL2_TWE    BIT64(14)
#define HCR_EL2_TID1   BIT64(16)
#define HCR_EL2_TID2   BIT64(17)
#define HCR_EL2_TID3   BIT64(18)
#define HCR_EL2_TSC    BIT64(19)
#define HCR_EL2_TIDCP  BIT64(20)
#define HCR_EL2_TACR   BIT64(21)
#define HCR_EL2_TSW    BIT64(22)
#define HCR_EL2_TPC    BIT64(23)
#define HCR_EL2_TPU    BIT64(24)
#define HCR_EL2_TTLB   BIT64(25)
#define HCR_EL2_TVM    BIT64(26)
#define HCR_EL2_TGE    BIT64(27)
#define HCR_EL2_TDZ    BIT64(28)
#define HCR_EL2_TRVM   BIT64(30)
#define HCR_EL2_RW     BIT64(31)
#define HCR_EL2_E2H    BIT64(34)
#define HCR_EL2_TLOR   BIT64(35)
#define HCR_EL2_TERR   BIT64(36)
#define HCR_EL2_APK    BIT64(40)
#define HCR_EL2_API    BIT64(41)
#define HCR_EL2_ENSCXT BIT64(53)
#define HCR_EL2_ATA    BIT64(56)
#define HCR_EL2_TID5   BIT64(58)

// HCRX_EL2
#define HCRX_EL2_TALLINT BIT64(6)

// HPFAR_EL2
#define HPFAR_EL2_FIPA GENMASK64(43, 4)

// ICH_HCR_EL2: what a policy can have trapped (the rest is the GIC driver's)
#define ICH_HCR_EL2_TC    BIT64(10)
#define ICH_HCR_EL2_TALL0 BIT64(11)
#define ICH_HCR_EL2_TALL1 BIT64(12)
#define ICH_HCR_EL2_TDIR  BIT64(14)

// ICC_SGI0R_EL1, ICC_SGI1R_EL1
#define ICC_SGIXR_TARGETLIST GENMASK64(15, 0)
#define ICC_SGIXR_AFF1       GENMASK64(23, 16)
#define ICC_SGIXR_INTID      GENMASK64(27, 24)
#define ICC_SGIXR_AFF2       GENMASK64(39, 32)
#define ICC_SGIXR_IRM        BIT64(40)
#define ICC_SGIXR_RS         GENMASK64(47, 44)
#define ICC_SGIXR_AFF3       GENMASK64(55, 48)

// ICH_HCR_EL2
#define ICH_HCR_EL2_EN       BIT64(0)
#define ICH_HCR_EL2_UIE      BIT64(1)
#define ICH_HCR_EL2_LRENPIE  BIT64(2)
#define ICH_HCR_EL2_NPIE     BIT64(3)
#define ICH_HCR_EL2_TC       BIT64(10)
#define ICH_HCR_EL2_TALL0    BIT64(11)
#define ICH_HCR_EL2_TALL1    BIT64(12)
#define ICH_HCR_EL2_TDIR     BIT64(14)
#define ICH_HCR_EL2_EOICOUNT GENMASK64(31, 27)

// ICH_LR<n>_EL2
#define ICH_LR_EL2_STATE    GENMASK64(63, 62)
#define ICH_LR_EL2_ACTIVE   BIT64(63)
#define ICH_LR_EL2_PENDING  BIT64(62)
#define ICH_LR_EL2_HW       BIT64(61)
#define ICH_LR_EL2_GROUP    BIT64(60)
#define ICH_LR_EL2_PRIORITY GENMASK64(55, 48)
#define ICH_LR_EL2_EOI      BIT64(41) // maintenance interrupt on deactivation, HW = 0
#define ICH_LR_EL2_PINTID   GENMASK64(44, 32)
#define ICH_LR_EL2_VINTID   GENMASK64(31, 0)

// ICH_VMCR_EL2
#define ICH_VMCR_EL2_VENG0  BIT64(0)
#define ICH_VMCR_EL2_VENG1  BIT64(1)
#define ICH_VMCR_EL2_VFIQEN BIT64(3)
#define ICH_VMCR_EL2_VEOIM  BIT64(9)
#define ICH_VMCR_EL2_VPMR   GENMASK64(31, 24)

// ICH_VTR_EL2
#define ICH_VTR_EL2_LISTREGS GENMASK64(4, 0)
#define ICH_VTR_EL2_TDS      BIT64(19)
#define ICH_VTR_EL2_PREBITS  GENMASK64(28, 26)
#define ICH_VTR_EL2_PRIBITS  GENMASK64(31, 29)

// ID_AA64DFR0_EL1
#define ID_AA64DFR0_EL1_DEBUGVER  GENMASK64(3, 0)
#define ID_AA64DFR0_EL1_PMUVER    GENMASK64(11, 8)
#define ID_AA64DFR0_EL1_BRPS      GENMASK64(15, 12)
#define ID_AA64DFR0_EL1_WRPS      GENMASK64(23, 20)
#define ID_AA64DFR0_EL1_CTX_CMPS  GENMASK64(31, 28)
#define ID_AA64DFR0_EL1_PMSVER    GENMASK64(35, 32)
#define ID_AA64DFR0_EL1_TRACEFILT GENMASK64(43, 40)
#define ID_AA64DFR0_EL1_BRBE      GENMASK64(55, 52)

// ID_AA64ISAR0_EL1
#define ID_AA64ISAR0_EL1_RNDR GENMASK64(63, 60)

// ID_AA64ISAR1_EL1: GPI, GPA, API, APA; ID_AA64ISAR2_EL1: APA3, GPA3
#define ID_AA64ISAR1_EL1_PAUTH (GENMASK64(31, 24) | GENMASK64(11, 4))
#define ID_AA64ISAR2_EL1_PAUTH GENMASK64(15, 8)

// ID_AA64MMFR0_EL1
#define ID_AA64MMFR0_EL1_PARANGE GENMASK64(3, 0)
#define ID_AA64MMFR0_EL1_TGRAN16 GENMASK64(23, 20)
#define ID_AA64MMFR0_EL1_TGRAN64 GENMASK64(27, 24)
#define ID_AA64MMFR0_EL1_TGRAN4  GENMASK64(31, 28)
#define ID_AA64MMFR0_EL1_FGT     GENMASK64(59, 56)
#define ID_AA64MMFR0_EL1_ECV     GENMASK64(63, 60)

// ID_AA64MMFR1_EL1
#define ID_AA64MMFR1_EL1_HAFDBS   GENMASK64(3, 0)
#define ID_AA64MMFR1_EL1_VMIDBITS GENMASK64(7, 4)
#define ID_AA64MMFR1_EL1_VH       GENMASK64(11, 8)
#define ID_AA64MMFR1_EL1_PAN      GENMASK64(23, 20)
#define ID_AA64MMFR1_EL1_XNX      GENMASK64(31, 28)
#define ID_AA64MMFR1_EL1_HCX      GENMASK64(43, 40)

// ID_AA64MMFR3_EL1
#define ID_AA64MMFR3_EL1_TCRX   GENMASK64(3, 0)
#define ID_AA64MMFR3_EL1_SCTLRX GENMASK64(7, 4)

// ID_AA64PFR0_EL1
#define ID_AA64PFR0_EL1_EL1  GENMASK64(7, 4)
#define ID_AA64PFR0_EL1_FP   GENMASK64(19, 16)
#define ID_AA64PFR0_EL1_GIC  GENMASK64(27, 24)
#define ID_AA64PFR0_EL1_RAS  GENMASK64(31, 28)
#define ID_AA64PFR0_EL1_SVE  GENMASK64(35, 32)
#define ID_AA64PFR0_EL1_MPAM GENMASK64(43, 40)
#define ID_AA64PFR0_EL1_AMU  GENMASK64(47, 44)

// ID_AA64PFR1_EL1
#define ID_AA64PFR1_EL1_SSBS      GENMASK64(7, 4)
#define ID_AA64PFR1_EL1_MTE       GENMASK64(11, 8)
#define ID_AA64PFR1_EL1_MPAM_FRAC GENMASK64(19, 16)
#define ID_AA64PFR1_EL1_SME       GENMASK64(27, 24)
#define ID_AA64PFR1_EL1_NMI       GENMASK64(39, 36)

// MAIR_ELx attribute encodings
#define MAIR_DEVICE_NGNRE 0x04
#define MAIR_NORMAL_WB    0xff
// One of MAIR_EL1's eight attributes: Device is 0b0000xxxx
#define MAIR_IS_DEVICE(attribute) (((attribute) & 0xf0) == 0)

// MDCR_EL2
#define MDCR_EL2_HPMN  GENMASK64(4, 0)
#define MDCR_EL2_TPMCR BIT64(5)
#define MDCR_EL2_TPM   BIT64(6)
#define MDCR_EL2_TDE   BIT64(8)
#define MDCR_EL2_TDA   BIT64(9)
#define MDCR_EL2_TDOSA BIT64(10)
#define MDCR_EL2_TDRA  BIT64(11)
#define MDCR_EL2_E2PB  GENMASK64(13, 12)
#define MDCR_EL2_TPMS  BIT64(14)
#define MDCR_EL2_TTRF  BIT64(19)

// MDSCR_EL1
#define MDSCR_EL1_SS  BIT64(0)
#define MDSCR_EL1_KDE BIT64(13)
#define MDSCR_EL1_MDE BIT64(15)

// MPAM2_EL2, MPAMHCR_EL2, MPAMIDR_EL1
#define MPAM2_EL2_TRAPMPAM1EL1       BIT64(48)
#define MPAM2_EL2_TRAPMPAM0EL1       BIT64(49)
#define MPAMHCR_EL2_TRAP_MPAMIDR_EL1 BIT64(31)
#define MPAMIDR_EL1_HAS_HCR          BIT64(17)

// MPIDR_EL1
#define MPIDR_EL1_AFF0 GENMASK64(7, 0)
#define MPIDR_EL1_AFF1 GENMASK64(15, 8)

// OSLAR_EL1, OSLSR_EL1
#define OSLAR_EL1_OSLK BIT64(0)
#define OSLSR_EL1_OSLK BIT64(1)

// PAR_EL1
#define PAR_EL1_F   BIT64(0)
#define PAR_EL1_FST GENMASK64(6, 1)
#define PAR_EL1_PA  GENMASK64(47, 12)

// PMCR_EL0
#define PMCR_EL0_N GENMASK64(15, 11)

// SCTLR_ELx
#define SCTLR_ELX_M     BIT64(0)
#define SCTLR_ELX_A     BIT64(1)
#define SCTLR_ELX_C     BIT64(2)
#define SCTLR_ELX_SA    BIT64(3)
#define SCTLR_ELX_I     BIT64(12)
#define SCTLR_ELX_WXN   BIT64(19)
#define SCTLR_EL1_SPAN  BIT64(23)
#define SCTLR_EL1_E0E   BIT64(24)
#define SCTLR_ELX_EE    BIT64(25)
#define SCTLR_ELX_DSSBS BIT64(44)
#define SCTLR_EL2_RES1  0x30c50830

// SPSR_ELx
#define SPSR_ELX_M           GENMASK64(3, 0)
#define SPSR_ELX_M_SP        BIT64(0)
#define SPSR_ELX_M_EL        GENMASK64(3, 2)
#define SPSR_ELX_M4          BIT64(4) // 1 = AArch32
#define SPSR_ELX_F           BIT64(6)
#define SPSR_ELX_I           BIT64(7)
#define SPSR_ELX_A           BIT64(8)
#define SPSR_ELX_D           BIT64(9)
#define SPSR_ELX_BTYPE       GENMASK64(11, 10)
#define SPSR_ELX_SSBS        BIT64(12)
#define SPSR_ELX_IL          BIT64(20)
#define SPSR_ELX_SS          BIT64(21)
#define SPSR_ELX_PAN         BIT64(22)
#define SPSR_ELX_UAO         BIT64(23)
#define SPSR_ELX_DIT         BIT64(24)
#define SPSR_ELX_TCO         BIT64(25)
#define SPSR_ELX_V           BIT64(28)
#define SPSR_ELX_C           BIT64(29)
#define SPSR_ELX_Z           BIT64(30)
#define SPSR_ELX_N           BIT64(31)
#define SPSR_ELX_NZCV        GENMASK64(31, 28)
#define SPSR_AARCH32_IT_LOW  GENMASK64(26, 25) // IT[1:0]
#define SPSR_AARCH32_IT_HIGH GENMASK64(15, 10) // IT[7:2]
#define SPSR_AARCH32_E       BIT64(9)          // big-endian data
#define SPSR_M_EL0T          0x0
#define SPSR_M_EL1T          0x4
#define SPSR_M_EL1H          0x5
#define SPSR_M_EL2H          0x9

// TCR_EL1
#define TCR_EL1_T0SZ GENMASK64(5, 0)
#define TCR_EL1_EPD0 BIT64(7)
#define TCR_EL1_TG0  GENMASK64(15, 14) // 0 = 4 KiB, 1 = 64 KiB, 2 = 16 KiB
#define TCR_EL1_T1SZ GENMASK64(21, 16)
#define TCR_EL1_EPD1 BIT64(23)
#define TCR_EL1_TG1  GENMASK64(31, 30) // 1 = 16 KiB, 2 = 4 KiB, 3 = 64 KiB
#define TCR_EL1_IPS  GENMASK64(34, 32)
#define TCR_EL1_TBI0 BIT64(37)
#define TCR_EL1_TBI1 BIT64(38)
#define TCR_EL1_HA   BIT64(39)
#define TCR_EL1_HPD0 BIT64(41)
#define TCR_EL1_HPD1 BIT64(42)
#define TCR_EL1_DS   BIT64(59)

// TCR_EL2 (HCR_EL2.E2H = 0)
#define TCR_EL2_T0SZ  GENMASK64(5, 0)
#define TCR_EL2_IRGN0 GENMASK64(9, 8)
#define TCR_EL2_ORGN0 GENMASK64(11, 10)
#define TCR_EL2_SH0   GENMASK64(13, 12)
#define TCR_EL2_PS    GENMASK64(18, 16)
#define TCR_EL2_RES1  (BIT64(31) | BIT64(23))

// TTBR0_EL1, TTBR1_EL1
#define TTBR_EL1_BADDR      GENMASK64(47, 1)
#define TTBR_EL1_BADDR_HIGH GENMASK64(5, 2) // PA[51:48] when TCR_EL1.IPS says 52 bits

// VTCR_EL2
#define VTCR_EL2_T0SZ  GENMASK64(5, 0)
#define VTCR_EL2_SL0   GENMASK64(7, 6)
#define VTCR_EL2_IRGN0 GENMASK64(9, 8)
#define VTCR_EL2_ORGN0 GENMASK64(11, 10)
#define VTCR_EL2_SH0   GENMASK64(13, 12)
#define VTCR_EL2_PS    GENMASK64(18, 16)
#define VTCR_EL2_RES1  BIT64(31)

// VTTBR_EL2
#define VTTBR_EL2_VMID GENMASK64(63, 48)
