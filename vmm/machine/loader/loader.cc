// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/loader/loader.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>
#include <utility>

#include "vmm/base/file.h"
#include "vmm/machine/loader/device_tree.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kKernelLoadOffset = 0x10000;
constexpr uint64_t kInitrdOffset = uint64_t{128} << 20;
constexpr uint64_t kPage = 4096;
constexpr uint32_t kMachineFromDeviceTree = 0xffffffff;

constexpr uint64_t align_up(uint64_t value) { return (value + kPage - 1) & ~(kPage - 1); }

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

struct Image {
  uint64_t start = 0, end = 0;
  uint64_t ram_start = ~uint64_t{0};  // of what is in RAM; all ones: nothing
  uint32_t entry = 0;
  bool linux_protocol = false;
};

uint32_t word_at(const std::vector<uint8_t>& file, size_t offset) {
  uint32_t value = 0;
  if (file.size() >= offset + 4) std::memcpy(&value, file.data() + offset, 4);
  return value;
}

class ElfHandle {
 public:
  explicit ElfHandle(std::vector<uint8_t>& file)
      : elf_(elf_memory(reinterpret_cast<char*>(file.data()), file.size())) {}
  ~ElfHandle() { elf_end(elf_); }
  ElfHandle(const ElfHandle&) = delete;
  ElfHandle& operator=(const ElfHandle&) = delete;
  Elf* get() const { return elf_; }

 private:
  Elf* elf_;
};

Result<Image> load_elf(const GuestRam& ram, std::vector<uint8_t>& file, const std::string& path) {
  const auto fail = [&](const std::string& why) { return Error{"--kernel: " + path + ": " + why}; };
  elf_version(EV_CURRENT);
  const ElfHandle elf(file);
  GElf_Ehdr header;
  if (!elf.get() || elf_kind(elf.get()) != ELF_K_ELF || !gelf_getehdr(elf.get(), &header)) {
    return fail("a damaged ELF file; build or copy it again");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS32 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_ARM) {
    return fail("not a 32-bit little-endian Arm ELF file; give one built for ARMv7-A");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return fail("not an executable ELF file; link it first");
  size_t count = 0;
  if (elf_getphdrnum(elf.get(), &count) != 0 || count == 0)
    return fail("an ELF file without program headers; link it first");
  Image image;
  image.start = ~uint64_t{0};
  image.entry = static_cast<uint32_t>(header.e_entry);
  bool translated = false;
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (!gelf_getphdr(elf.get(), static_cast<int>(i), &segment))
      return fail("a damaged ELF file; build or copy it again");
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (segment.p_filesz > segment.p_memsz || segment.p_offset > file.size() ||
        segment.p_filesz > file.size() - segment.p_offset) {
      return fail("ELF segment " + std::to_string(i) + " reaches beyond the file, which is damaged or truncated");
    }
    const bool in_ram = ram.contains(segment.p_paddr, segment.p_memsz);
    if (!in_ram && !ram.flash_holds(segment.p_paddr, segment.p_memsz)) {
      return fail("ELF segment " + std::to_string(i) + " wants " + hex(segment.p_paddr) + "-" +
                  hex(segment.p_paddr + segment.p_memsz) + ", but RAM is " + hex(ram.base) + "-" +
                  hex(ram.base + ram.size) + (ram.flash ? ", and flash is two banks of 64 MiB from 0 on" : "") +
                  "; link it for that or give more --memory");
    }
    std::memcpy(ram.at(segment.p_paddr), file.data() + segment.p_offset, segment.p_filesz);
    std::memset(ram.at(segment.p_paddr) + segment.p_filesz, 0, segment.p_memsz - segment.p_filesz);
    if (in_ram) image.ram_start = std::min<uint64_t>(image.ram_start, segment.p_paddr);
    image.start = std::min<uint64_t>(image.start, segment.p_paddr);
    image.end = std::max<uint64_t>(image.end, segment.p_paddr + segment.p_memsz);
    // A file linked for virtual addresses starts with the MMU off, at the physical one.
    if (!translated && (segment.p_flags & PF_X) && header.e_entry >= segment.p_vaddr &&
        header.e_entry - segment.p_vaddr < segment.p_filesz) {
      image.entry = static_cast<uint32_t>(header.e_entry - segment.p_vaddr + segment.p_paddr);
      translated = true;
    }
  }
  if (image.end == 0) return fail("an ELF file with nothing to load; link it first");
  return image;
}

Result<Image> load_raw(const GuestRam& ram, const std::vector<uint8_t>& file, const std::string& path) {
  const auto fail = [&](const std::string& why) { return Error{"--kernel: " + path + ": " + why}; };
  if (file.empty()) return fail("the file is empty; give a kernel");
  if (file.size() >= 2 && file[0] == 0x1f && file[1] == 0x8b)
    return fail("gzip-compressed; unpack it with gunzip first");
  if (word_at(file, 0) == 0x56190527) return fail("a U-Boot image; unpack it with dumpimage first");
  if (word_at(file, 0x38) == 0x644d5241) return fail("a 64-bit Arm kernel; give one for 32-bit ARMv7-A (armmp)");
  // Documentation/arch/arm/booting.rst of Linux: a zImage names its own start and end.
  if (word_at(file, 0x24) == 0x016f2818) {
    const uint32_t start = word_at(file, 0x28), end = word_at(file, 0x2c);
    if (end <= start || end - start > file.size()) {
      return fail("a zImage of " + std::to_string(int64_t{end} - int64_t{start}) +
                  " bytes by its header, but the file has " + std::to_string(file.size()) +
                  ": damaged or truncated; copy it again");
    }
  }
  Image image;
  image.start = ram.base + kKernelLoadOffset;
  if (!ram.contains(image.start, file.size())) return fail("larger than guest RAM; give more --memory");
  image.end = image.start + file.size();
  image.entry = static_cast<uint32_t>(image.start);
  image.linux_protocol = true;
  std::memcpy(ram.at(image.start), file.data(), file.size());
  return image;
}

Result<DeviceTree> make_tree(const GuestRam& ram, const BootConfig& config, const BootState& state) {
  auto tree = config.dtb.empty()
                  ? build_device_tree({config.cpu_compatible, config.cpus, ram.flash != nullptr, config.second_uart})
                  : load_device_tree(config.dtb);
  if (!tree) return tree;
  // U-Boot adds to the tree where it lies, and relies on QEMU's being larger than what is in it.
  constexpr uint32_t kFirmwareRoom = 64 << 10;
  return patch_device_tree(*tree, {ram.base, ram.size, config.append, state.initrd_start, state.initrd_end,
                                   config.firmware ? kFirmwareRoom : 0});
}

void place_tree(const GuestRam& ram, const DeviceTree& tree, uint64_t pa, BootState& state) {
  std::memcpy(ram.at(pa), tree.data(), tree.size());
  state.dtb_start = pa;
  state.dtb_end = pa + tree.size();
}

Result<BootState> finish_linux(const GuestRam& ram, const BootConfig& config, const Image& image, BootState state) {
  const uint64_t ram_end = ram.base + ram.size;
  const uint64_t start = align_up(std::max(ram.base + std::min(ram.size / 2, kInitrdOffset), image.end));
  uint64_t next = start;
  if (!config.initrd.empty()) {
    const uint64_t room = start < ram_end ? ram_end - start : 0;
    auto file = read_file(config.initrd, "--initrd", room);
    if (!file) return file.take_error();
    if (file->empty()) return Error{"--initrd: " + config.initrd + " is empty; give an initial RAM disk"};
    std::memcpy(ram.at(start), file->data(), file->size());
    state.initrd_start = start;
    state.initrd_end = start + file->size();
    next = state.initrd_end;
  }
  auto tree = make_tree(ram, config, state);
  if (!tree) return tree.take_error();
  next = align_up(next);
  if (!ram.contains(next, tree->size()))
    return Error{"no room for the device tree behind the initrd; give more --memory"};
  place_tree(ram, *tree, next, state);
  state.r1 = kMachineFromDeviceTree;
  state.r2 = static_cast<uint32_t>(next);
  return state;
}

}  // namespace

bool needs_flash(const std::string& kernel) {
  const int fd = open(kernel.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  elf_version(EV_CURRENT);
  Elf* const elf = elf_begin(fd, ELF_C_READ, nullptr);
  size_t count = 0;
  bool below = false;
  if (elf && elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &count) == 0) {
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr segment;
      below |= gelf_getphdr(elf, static_cast<int>(i), &segment) && segment.p_type == PT_LOAD && segment.p_memsz != 0 &&
               segment.p_paddr < FlashBanks::kBanks * FlashBanks::kBankBytes;
    }
  }
  elf_end(elf);
  close(fd);
  return below;
}

Result<FirmwareItems> read_firmware_items(const BootConfig& config, uint64_t room) {
  FirmwareItems items;
  for (const auto& [option, path, content] :
       {std::tuple{"--kernel", &config.kernel, &items.kernel}, std::tuple{"--initrd", &config.initrd, &items.initrd}}) {
    if (path->empty()) continue;
    auto file = read_file(*path, option, room);
    if (!file) return file.take_error();
    *content = std::move(*file);
  }
  items.command_line = config.append;
  return items;
}

Result<BootState> load_guest(const GuestRam& ram, const BootConfig& config) {
  if (config.firmware) {
    BootState state;
    auto tree = make_tree(ram, config, state);
    if (!tree) return tree.take_error();
    place_tree(ram, *tree, ram.base, state);
    state.image_start = ram.base;
    state.image_end = state.dtb_end;
    return state;
  }
  // An ELF file may carry debug information that is never loaded, so RAM does not bound it.
  auto file = read_file(config.kernel, "--kernel", std::max<uint64_t>(ram.size, uint64_t{1} << 30));
  if (!file) return file.take_error();
  const bool is_elf = file->size() >= SELFMAG && std::memcmp(file->data(), ELFMAG, SELFMAG) == 0;
  auto image = is_elf ? load_elf(ram, *file, config.kernel) : load_raw(ram, *file, config.kernel);
  if (!image) return image.take_error();
  BootState state;
  state.pc = image->entry & ~1u;
  state.thumb = image->entry & 1;
  state.image_start = image->start;
  state.image_end = image->end;
  if (image->linux_protocol) return finish_linux(ram, config, *image, state);
  if (!config.initrd.empty()) {
    return Error{
        "--initrd: an ELF kernel is entered without the Linux boot protocol and cannot be given an initrd; "
        "give a zImage"};
  }
  auto tree = make_tree(ram, config, state);
  if (!tree) return tree.take_error();
  // As QEMU: at the base of RAM unless the image is there; silently left out when it does not fit
  // below the image.
  if (image->ram_start > ram.base && image->ram_start - ram.base >= tree->size())
    place_tree(ram, *tree, ram.base, state);
  // What is in flash stays there; and if nothing is in RAM, all of it but for the device tree is
  // semihosting's heap.
  if (image->start < ram.base) {
    state.image_start = std::min(image->ram_start, std::max(ram.base, state.dtb_end));
    state.image_end = std::max(image->end, state.image_start);
  }
  return state;
}

}  // namespace crosswalk::vmm
