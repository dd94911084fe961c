// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/guest_case.h"

#include <cstdio>
#include <cstring>

namespace crosswalk::differential {

const char* name_of(Exception e) {
  switch (e) {
    case Exception::None: return "none";
    case Exception::Undefined: return "Undefined Instruction";
    case Exception::SupervisorCall: return "Supervisor Call";
    case Exception::PrefetchAbort: return "Prefetch Abort";
    case Exception::DataAbort: return "Data Abort";
    case Exception::Other: return "other";
  }
  return "";
}

void store_code(const Case& c, uint8_t* at) {
  for (const Instruction& i : c.code) {
    uint32_t word = i.word;
    if (c.thumb && i.bytes == 4) word = word >> 16 | word << 16;  // first halfword first
    std::memcpy(at, &word, i.bytes);
    at += i.bytes;
  }
}

std::string print(const GuestState& s) {
  std::string out;
  char line[96];
  for (int i = 0; i < 16; i++) {
    std::snprintf(line, sizeof line, "r%-2d %08x%s", i, s.r[i], i % 4 == 3 ? "\n" : "  ");
    out += line;
  }
  std::snprintf(line, sizeof line, "cpsr %08x  spsr %08x  fpscr %08x\n", s.cpsr, s.spsr, s.fpscr);
  out += line;
  std::snprintf(line, sizeof line, "r13_usr %08x  r14_usr %08x\n", s.user_r13, s.user_r14);
  out += line;
  bool any_d = false;
  for (uint64_t d : s.d) any_d |= d != 0;
  for (int i = 0; i < 32 && any_d; i++) {
    std::snprintf(line, sizeof line, "d%-2d %016llx%s", i, static_cast<unsigned long long>(s.d[i]),
                  i % 4 == 3 ? "\n" : "  ");
    out += line;
  }
  return out;
}

}  // namespace crosswalk::differential
