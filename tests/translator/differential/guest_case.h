// SPDX-License-Identifier: GPL-2.0-or-later
// One case of the differential test: a few instructions, the state before them, and what became of
// it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "translator/arm32/decoder/decoder.h"

namespace crosswalk::differential {

// Guest RAM of every runner: code slots first, then a data area that registers point into.
inline constexpr uint32_t kRamBase = 0x40000000;
inline constexpr uint32_t kRamSize = 2u << 20;
inline constexpr uint32_t kCodeBase = kRamBase;
inline constexpr uint32_t kCodeSize = 1u << 20;
inline constexpr uint32_t kSlotBytes = 32;
inline constexpr uint32_t kDataBase = kRamBase + (3u << 19);
inline constexpr uint32_t kDataSize = 64u << 10;
inline constexpr uint32_t kDataCenter = kDataBase + kDataSize / 2;

struct GuestState {
  uint32_t r[16] = {};
  uint32_t cpsr = 0x1d3;  // Supervisor mode, A, I and F masked
  uint32_t spsr = 0x1d3;
  uint32_t user_r13 = 0, user_r14 = 0;  // User mode's, where Case::user_bank says so
  uint64_t d[32] = {};
  uint32_t fpscr = 0;
  bool operator==(const GuestState&) const = default;
};

enum class Exception : uint8_t { None, Undefined, SupervisorCall, PrefetchAbort, DataAbort, Other };
const char* name_of(Exception e);

struct Outcome {
  GuestState state;
  Exception exception = Exception::None;
  uint32_t fault_status = 0;  // DFSR, where the runner knows it
};

struct Instruction {
  uint32_t word = 0;  // as the decoder takes it
  uint8_t bytes = 4;  // 2 or 4
};

struct Case {
  const decoder::Row* row = nullptr;  // of the last instruction, which is the one under test
  bool thumb = false;
  // user_r13 and user_r14 are loaded and compared
  bool user_bank = false;
  std::vector<Instruction> code;                      // executed one after the other
  GuestState before;                                  // r[15] is the address of the first
  std::vector<std::pair<uint32_t, uint32_t>> memory;  // words put at addresses in the data area
};

// Writes the code of a case as it lies in memory.
void store_code(const Case& c, uint8_t* at);

std::string print(const GuestState& s);

}  // namespace crosswalk::differential
