// SPDX-License-Identifier: GPL-2.0-or-later
// x86-64 system registers and descriptors as typed structs. References are to the Intel SDM, volume
// 3.
#pragma once

#include <bit>
#include <cstdint>

namespace crosswalk::kvm::ring0 {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kLargePageBytes = 2 << 20;

// 2.5 Control registers.
struct Cr0 {
  uint64_t pe : 1 = 1, mp : 1 = 1, em : 1 = 0, ts : 1 = 0, et : 1 = 1, ne : 1 = 1, : 10, wp : 1 = 1, : 1,
                am : 1 = 1, : 10, nw : 1 = 0, cd : 1 = 0, pg : 1 = 1, : 32;
};
struct Cr4 {
  uint64_t vme : 1 = 0, pvi : 1 = 0, tsd : 1 = 0, de : 1 = 0, pse : 1 = 0, pae : 1 = 1, mce : 1 = 0, pge : 1 = 1,
                 pce : 1 = 0, osfxsr : 1 = 1, osxmmexcpt : 1 = 1, : 5, fsgsbase : 1 = 0, pcide : 1 = 0,
                 osxsave : 1 = 0, : 45;
};
struct Efer {
  uint64_t sce : 1 = 1, : 7, lme : 1 = 1, : 1, lma : 1 = 1, nxe : 1 = 0, : 52;
};
template <class Register>
constexpr uint64_t raw(Register r) {
  static_assert(sizeof(Register) == 8);
  return std::bit_cast<uint64_t>(r);
}

// RFLAGS of the engine: bit 1 is always one. `out` at CPL 3 is allowed twice: by IOPL 3 here and by
// the TSS's I/O permission bitmap. A software-MMU KVM was seen to lose the IOPL over IRETQ and
// POPFQ, and an emulator of SVM to refuse the bitmap. Nothing injects interrupts.
inline constexpr uint64_t kEngineRflags = 0x3002;

// 4.5 4-level paging: one entry of any level. Accessed and Dirty are set from the start, so that
// neither the CPU nor KVM (which maps a clean page read-only at first) has a reason to touch the
// entry again.
class PageTableEntry {
 public:
  constexpr PageTableEntry() = default;
  constexpr explicit PageTableEntry(uint64_t bits) : bits_(bits) {}
  static constexpr PageTableEntry table(uint64_t gpa) {
    return PageTableEntry(gpa | kPresent | kWritable | kUser | kAccessed);
  }
  // `executable` must be true where EFER.NXE is off: the bit is reserved then.
  static constexpr PageTableEntry page(uint64_t gpa, bool writable, bool user, bool large, bool executable) {
    return PageTableEntry(gpa | kPresent | (writable ? kWritable : 0) | (user ? kUser : 0) | kAccessed | kDirty |
                          (large ? kPageSize : 0) | (executable ? 0 : kNoExecute));
  }
  constexpr uint64_t bits() const { return bits_; }
  constexpr bool present() const { return bits_ & kPresent; }
  constexpr bool writable() const { return bits_ & kWritable; }
  constexpr bool user() const { return bits_ & kUser; }
  constexpr bool large() const { return bits_ & kPageSize; }
  constexpr bool executable() const { return !(bits_ & kNoExecute); }
  constexpr uint64_t address() const { return bits_ & kAddressMask; }

 private:
  static constexpr uint64_t kPresent = 1 << 0, kWritable = 1 << 1, kUser = 1 << 2, kAccessed = 1 << 5, kDirty = 1 << 6,
                            kPageSize = 1 << 7, kNoExecute = uint64_t{1} << 63;
  static constexpr uint64_t kAddressMask = 0x000ffffffffff000;
  uint64_t bits_ = 0;
};

// Selectors of our GDT. SYSRET takes SS from STAR[63:48]+8 and CS from STAR[63:48]+16, so user data
// comes first.
inline constexpr uint16_t kKernelCode = 0x08, kKernelData = 0x10, kUserData = 0x18 | 3, kUserCode = 0x20 | 3,
                          kTaskState = 0x28;
inline constexpr uint64_t kStar = (uint64_t{kKernelCode} << 32) | (uint64_t{kKernelData | 3} << 48);

// 3.4.5 Segment descriptors.
struct SegmentDescriptor {
  uint64_t limit_low : 16 = 0xffff, base_low : 24 = 0, type : 4 = 0, s : 1 = 1, dpl : 2 = 0, p : 1 = 1,
                       limit_high : 4 = 0xf, avl : 1 = 0, l : 1 = 0, db : 1 = 0, g : 1 = 1, base_high : 8 = 0;
};
static_assert(sizeof(SegmentDescriptor) == 8);
inline constexpr uint64_t kTypeCode = 0xb, kTypeData = 0x3, kTypeBusyTss64 = 0xb;

// 6.14.1 64-bit IDT gates; type 14 is an interrupt gate.
struct InterruptGate {
  uint16_t offset_low;
  uint16_t selector = kKernelCode;
  uint8_t ist = 0;
  uint8_t type : 5 = 14, dpl : 2 = 0, p : 1 = 1;
  uint16_t offset_middle;
  uint32_t offset_high;
  uint32_t reserved = 0;
};
static_assert(sizeof(InterruptGate) == 16);

// 8.7 Task management in 64-bit mode.
struct [[gnu::packed]] TaskState64 {
  uint32_t reserved0 = 0;
  uint64_t rsp[3] = {};
  uint64_t reserved1 = 0;
  uint64_t ist[7] = {};
  uint64_t reserved2 = 0;
  uint16_t reserved3 = 0;
  uint16_t io_map_base = 104;
  // Ports 0-255, a clear bit allows; the CPU reads two bytes, hence the one behind (volume 1,
  // 19.5.2).
  uint8_t io_map[33] = {};
};
static_assert(sizeof(TaskState64) == 104 + 33);

// Exception vectors with a name here (table 6-1).
inline constexpr uint8_t kVectorBreakpoint = 3, kVectorInvalidOpcode = 6, kVectorDoubleFault = 8,
                         kVectorGeneralProtection = 13, kVectorPageFault = 14, kVectors = 32;
constexpr bool has_error_code(uint8_t vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30;
}

// #PF error code (4.7).
inline constexpr uint64_t kPageFaultPresent = 1, kPageFaultWrite = 2;

}  // namespace crosswalk::kvm::ring0
