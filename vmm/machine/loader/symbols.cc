// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/loader/symbols.h"

#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>

#include "vmm/base/file.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kMaxFile = uint64_t{2} << 30;
// A symbol without a size ends at the next one, but does not reach over a gap: what follows then
// has no name.
constexpr uint32_t kMaxUnsized = 64 << 10;

bool is_elf(const std::vector<uint8_t>& file) {
  return file.size() >= SELFMAG && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

bool starts_as_elf(const std::string& path) {
  char magic[SELFMAG];
  return std::ifstream(path, std::ios::binary).read(magic, SELFMAG) && std::memcmp(magic, ELFMAG, SELFMAG) == 0;
}

// Names may come from anywhere; they end up as lines of text.
std::string printable(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace

Result<SymbolTable> SymbolTable::load(const std::string& path, const std::string& option) {
  auto file = read_file(path, option, kMaxFile);
  if (!file) return file.take_error();
  SymbolTable table;
  if (is_elf(*file)) {
    if (!table.read_elf(*file)) {
      return Error{option + ": " + path +
                   ": not a 32-bit Arm ELF file with a symbol table; give one that is not stripped"};
    }
  } else if (!table.read_map(*file)) {
    return Error{option + ": " + path + ": neither an ELF file nor lines of a System.map (address type name)"};
  }
  table.sort();
  return table;
}

SymbolTable SymbolTable::of_kernel(const std::string& path) {
  SymbolTable table;
  if (!starts_as_elf(path)) return table;  // most kernels: not read as a whole for nothing
  auto file = read_file(path, "--kernel", kMaxFile);
  if (!file || !table.read_elf(*file)) return {};
  table.sort();
  return table;
}

bool SymbolTable::read_elf(std::vector<uint8_t>& file) {
  elf_version(EV_CURRENT);
  Elf* const elf = elf_memory(reinterpret_cast<char*>(file.data()), file.size());
  if (!elf) return false;
  GElf_Ehdr header;
  const bool right = gelf_getehdr(elf, &header) && header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_machine == EM_ARM;
  for (Elf_Scn* section = nullptr; right && (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr description;
    if (!gelf_getshdr(section, &description) || description.sh_type != SHT_SYMTAB || description.sh_entsize == 0)
      continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    if (!data) continue;
    const size_t count = data->d_size / description.sh_entsize;
    for (size_t i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (!gelf_getsym(data, static_cast<int>(i), &symbol)) continue;
      const auto type = GELF_ST_TYPE(symbol.st_info);
      // Labels of assembly have no type; $a, $t, $d and .L… are not functions (AAELF32, mapping
      // symbols).
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE) continue;
      if (type != STT_FUNC && type != STT_NOTYPE) continue;
      const char* const name = elf_strptr(elf, description.sh_link, symbol.st_name);
      if (!name || *name == 0 || *name == '$' || *name == '.') continue;
      if (type == STT_NOTYPE) {
        GElf_Shdr in;
        Elf_Scn* const where = elf_getscn(elf, symbol.st_shndx);
        if (!where || !gelf_getshdr(where, &in) || !(in.sh_flags & SHF_EXECINSTR)) continue;
      }
      // Bit 0 of a function's value is its instruction set.
      const uint32_t address = static_cast<uint32_t>(symbol.st_value) & (type == STT_FUNC ? ~1u : ~0u);
      symbols_.push_back({address, static_cast<uint32_t>(symbol.st_size), printable(name)});
    }
  }
  elf_end(elf);
  return !symbols_.empty();
}

// "c0101234 T name": the output of nm. Functions only; a module's name in brackets may follow.
bool SymbolTable::read_map(const std::vector<uint8_t>& file) {
  std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    uint64_t address = 0;
    const auto [stopped, error] = std::from_chars(line.data(), line.data() + space, address, 16);
    if (error != std::errc{} || stopped != line.data() + space || address > UINT32_MAX || line.size() < space + 4 ||
        line[space + 2] != ' ')
      continue;
    const char type = line[space + 1];
    const std::string_view name = line.substr(space + 3);
    if ((type != 'T' && type != 't' && type != 'W' && type != 'w') || name[0] == '$') continue;
    symbols_.push_back({static_cast<uint32_t>(address), 0, printable(name)});
  }
  return !symbols_.empty();
}

void SymbolTable::sort() {
  // Of several names of one address, one with a size is kept, and of those the first in the file.
  std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return a.address != b.address ? a.address < b.address : (a.bytes != 0) > (b.bytes != 0);
  });
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end(),
                             [](const Symbol& a, const Symbol& b) { return a.address == b.address; }),
                 symbols_.end());
}

std::optional<SymbolTable::Match> SymbolTable::find(uint32_t va) const {
  const auto next =
      std::upper_bound(symbols_.begin(), symbols_.end(), va, [](uint32_t a, const Symbol& s) { return a < s.address; });
  if (next == symbols_.begin()) return std::nullopt;
  const Symbol& symbol = *std::prev(next);
  const uint32_t offset = va - symbol.address;
  if (offset >= (symbol.bytes ? symbol.bytes : kMaxUnsized)) return std::nullopt;
  return Match{symbol.name, offset};
}

std::string SymbolTable::describe(uint32_t va) const {
  const auto match = find(va);
  if (!match) return {};
  return match->offset ? fmt::format("{}+0x{:x}", match->name, match->offset) : std::string(match->name);
}

}  // namespace crosswalk::vmm
