// SPDX-License-Identifier: GPL-2.0-or-later
// The x86 code of a few guest snippets, as text in golden.expected, so that a change in generated
// code shows in review. scripts/update-golden.sh (CROSSWALK_UPDATE_GOLDEN=1) writes the file anew.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/translator/x64/emitted.h"
#include "translator/arm32/frontend/translator.h"

namespace crosswalk::test {
namespace {

constexpr const char* kFile = "tests/translator/x64/golden.expected";

struct Snippet {
  const char* name;
  std::vector<uint32_t> words;  // A32, at 0x8000
};
const Snippet kSnippets[] = {
    {"CMP R0, #5; BNE back; B ahead", {0xe3500005, 0x1afffffd, 0xea000010}},
    {"ADD R2, R0, R1, LSL #2; B", {0xe0802101, 0xea000010}},
    {"LDR R0, [R1, #4]!; LDR R2, [R1, #4]!; B", {0xe5b10004, 0xe5b12004, 0xea000010}},
    {"STMDB SP!, {R4-R6, LR}; B", {0xe92d4070, 0xea000010}},
    {"ADDS R0, R0, R1; ADC R2, R2, R3; B", {0xe0900001, 0xe0a22003, 0xea000010}},
    {"MOVEQ R0, #1; MOVNE R0, #2; B", {0x03a00001, 0x13a00002, 0xea000010}},
    {"LDRB R3, [R0], #1; CMP R3, #0; BNE back", {0xe4d03001, 0xe3530000, 0x1afffffc, 0xea000010}},
    {"LDREX R1, [R0]; STREX R3, R2, [R0]; B", {0xe1901f9f, 0xe1803f92, 0xea000010}},
    {"CMP R0, #5; DMB ISH; BNE back; B ahead", {0xe3500005, 0xf57ff05b, 0x1afffffc, 0xea000010}},
    {"CMP R4, R1; CMPEQ R3, R0; BNE back; B ahead", {0xe1540001, 0x01530000, 0x1afffffc, 0xea000010}},
    {"TST R1, #1; BEQ ahead; EOR R3, R3, R0; SUBS R2, R2, #1; BNE back; B ahead",
     {0xe3110001, 0x0a000000, 0xe0233000, 0xe2522001, 0x1afffffa, 0xea000010}},
    {"DMB ISHST; B", {0xf57ff05a, 0xea000010}},
    {"DSB ISHST; B", {0xf57ff04a, 0xea000010}},
    {"SEV; B", {0xe320f004, 0xea000010}},
    {"BX LR", {0xe12fff1e}},
    {"B to another page", {0xea000800}},
};

struct Field {
  const char* name;
  long at;
  long bytes;
};
template <class T>
constexpr Field field(const char* name, size_t at) {
  return {name, static_cast<long>(at), sizeof(T)};  // NOLINT(bugprone-sizeof-expression): of pointers, too
}

// [r15 +- n] as the field of CpuState, so that a new field elsewhere changes nothing here.
std::string with_field_names(std::string line) {
  const size_t begin = line.find("[r15 ");
  if (begin == std::string::npos) return line;
  const size_t end = line.find(']', begin);
  long offset = std::strtol(line.c_str() + begin + 7, nullptr, 16);
  if (line[begin + 5] == '-') offset = -offset;
  offset += kStateBias;
#define FIELD(f) field<decltype(CpuState::f)>(#f, offsetof(CpuState, f))
  static constexpr Field kFields[] = {FIELD(r),
                                      FIELD(nz),
                                      FIELD(c),
                                      FIELD(v),
                                      FIELD(q),
                                      FIELD(ge_mask),
                                      FIELD(t),
                                      FIELD(it),
                                      FIELD(pending),
                                      FIELD(instruction_pages),
                                      FIELD(jump_cache),
                                      FIELD(monitor_armed),
                                      FIELD(monitor_address),
                                      FIELD(monitor_size),
                                      FIELD(monitor_value),
                                      FIELD(spill),
                                      FIELD(access_kind),
                                      FIELD(access_value),
                                      FIELD(exit_reason),
                                      FIELD(exit_link),
                                      FIELD(debug.watching),
                                      FIELD(events)};
#undef FIELD
  for (const Field& f : kFields) {
    if (offset < f.at || offset >= f.at + f.bytes) continue;
    std::string name = std::string("state.") + f.name;
    if (f.at == offsetof(CpuState, r))
      name += std::to_string((offset - f.at) / 4);
    else if (offset != f.at)
      name += "+" + std::to_string(offset - f.at);
    line.replace(begin + 1, end - begin - 1, name);
    break;
  }
  return line;
}

// Host addresses differ from run to run: calls and jumps out of the block, and RIP-relative ones
// stay relative.
std::string without_addresses(const std::string& text, size_t size) {
  std::istringstream in(text);
  std::string out, line;
  while (std::getline(in, line)) {
    line.erase(0, line.find(": ") + 2);
    const size_t space = line.find(' ');
    if ((line[0] == 'j' || line.starts_with("call")) && space != std::string::npos &&
        line.compare(space + 1, 2, "0x") == 0) {
      if (std::strtoull(line.c_str() + space + 1, nullptr, 16) >= size)
        line.replace(space + 1, std::string::npos, "thunk");
    }
    out += "  " + with_field_names(line) + "\n";
  }
  return out;
}

std::string golden() {
  std::string text;
  for (const auto& [mode, name] :
       {std::pair{x64::MemoryMode::Window, "window"}, std::pair{x64::MemoryMode::SoftInline, "soft"}}) {
    Emitted emitted(mode, true);
    emitted.use_bmi2(true);
    for (const Snippet& s : kSnippets) {
      ir::Block block;
      frontend::Translator translator(block, {}, {});
      translator.translate(0x8000, false, 0, [&](uint32_t va, uint32_t, uint32_t& word) {
        if ((va - 0x8000) / 4 >= s.words.size()) return false;
        word = s.words[(va - 0x8000) / 4];
        return true;
      });
      block.in_window = mode == x64::MemoryMode::Window;
      EXPECT_EQ(optimise(block, mode == x64::MemoryMode::SoftInline), "");
      const x64::CompiledBlock& code = emitted.emit(block);
      text += std::string(name) + ": " + s.name + "\n" +
              without_addresses(disassemble(code.code, code.size, 0), code.size) + "\n";
    }
  }
  return text;
}

TEST(Golden, GeneratedCode) {
  const std::string now = golden();
  if (std::getenv("CROSSWALK_UPDATE_GOLDEN")) {
    std::ofstream(kFile) << now;
    return;
  }
  std::ifstream file(kFile);
  ASSERT_TRUE(file.good()) << kFile << " is read from the repository's top directory";
  std::stringstream expected;
  expected << file.rdbuf();
  std::istringstream have(now), want(expected.str());
  std::string section, a, b;
  for (int line = 1;; line++) {
    const bool more_have = static_cast<bool>(std::getline(have, a)),
               more_want = static_cast<bool>(std::getline(want, b));
    if (!more_have && !more_want) break;
    if (more_have && !a.empty() && a[0] != ' ') section = a;
    ASSERT_EQ(more_have ? a : "(end)", more_want ? b : "(end)")
        << kFile << ":" << line << ", " << section
        << "\nIf the change is meant: scripts/update-golden.sh, and review the difference.";
  }
}

}  // namespace
}  // namespace crosswalk::test
