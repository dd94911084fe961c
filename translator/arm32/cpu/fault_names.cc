// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/fault_names.h"

#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

constexpr uint32_t kExternal = 1u << 12;  // ExT: IMPLEMENTATION DEFINED classification

// FS[4:0] of the short-descriptor format.
const char* short_status(uint32_t fs) {
  switch (fs) {
    case 0b00001: return "alignment fault";
    case 0b00010: return "debug event";
    case 0b00011: return "access flag fault, first level";
    case 0b00100: return "fault on instruction cache maintenance";
    case 0b00101: return "translation fault, first level";
    case 0b00110: return "access flag fault, second level";
    case 0b00111: return "translation fault, second level";
    case 0b01000: return "synchronous external abort";
    case 0b01001: return "domain fault, first level";
    case 0b01011: return "domain fault, second level";
    case 0b01100: return "synchronous external abort on a table walk, first level";
    case 0b01101: return "permission fault, first level";
    case 0b01110: return "synchronous external abort on a table walk, second level";
    case 0b01111: return "permission fault, second level";
    case 0b10000: return "TLB conflict abort";
    case 0b10110: return "asynchronous external abort";
    case 0b11000: return "asynchronous parity error";
    case 0b11001: return "synchronous parity error";
    case 0b11100: return "synchronous parity error on a table walk, first level";
    case 0b11110: return "synchronous parity error on a table walk, second level";
    default: return nullptr;
  }
}

bool has_domain(uint32_t fs) { return fs == 0b01001 || fs == 0b01011 || fs == 0b01101 || fs == 0b01111; }

// STATUS[5:0] of the long-descriptor format; the level is in its lowest bits for the first four.
std::string long_status(uint32_t status) {
  static constexpr const char* kLevels[4] = {", level 0", ", first level", ", second level", ", third level"};
  const char* const level = kLevels[status & 3];
  switch (status >> 2) {
    case 0b0001: return std::string("translation fault") + level;
    case 0b0010: return std::string("access flag fault") + level;
    case 0b0011: return std::string("permission fault") + level;
    case 0b0101: return std::string("synchronous external abort on a table walk") + level;
    case 0b0111: return std::string("synchronous parity error on a table walk") + level;
    default: break;
  }
  switch (status) {
    case 0b010000: return "synchronous external abort";
    case 0b010001: return "asynchronous external abort";
    case 0b011000: return "synchronous parity error";
    case 0b011001: return "asynchronous parity error";
    case 0b100001: return "alignment fault";
    case 0b100010: return "debug event";
    case 0b110000: return "TLB conflict abort";
    default: return {};
  }
}

}  // namespace

std::string describe_fault_status(uint32_t fsr, bool data) {
  const bool is_long = fsr & kFsrLpae;
  const uint32_t fs = (fsr & 15) | (fsr >> 10 & 1) << 4;
  std::string text;
  if (is_long)
    text = long_status(fsr & 0x3f);
  else if (const char* const words = short_status(fs))
    text = words;
  if (text.empty()) text = "reserved status";
  if (data) text += fsr & kFsrWnr ? ", write" : ", read";
  if (data && !is_long && has_domain(fs)) text += ", domain " + std::to_string(fsr >> 4 & 15);
  if (fsr & kExternal) text += ", ExT";
  return text;
}

const char* name_of(Mode mode) {
  switch (mode) {
    case Mode::User: return "usr";
    case Mode::Fiq: return "fiq";
    case Mode::Irq: return "irq";
    case Mode::Supervisor: return "svc";
    case Mode::Monitor: return "mon";
    case Mode::Abort: return "abt";
    case Mode::Hyp: return "hyp";
    case Mode::Undefined: return "und";
    case Mode::System: return "sys";
  }
  return "?";
}

const char* name_of(Exception kind) {
  switch (kind) {
    case Exception::Reset: return "Reset";
    case Exception::UndefinedInstruction: return "Undefined Instruction";
    case Exception::SupervisorCall: return "Supervisor Call";
    case Exception::PrefetchAbort: return "Prefetch Abort";
    case Exception::DataAbort: return "Data Abort";
    case Exception::Irq: return "IRQ";
    case Exception::Fiq: return "FIQ";
  }
  return "?";
}

}  // namespace crosswalk::arm
