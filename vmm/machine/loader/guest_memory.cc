// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/loader/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kFlashBytes = FlashBanks::kBanks * FlashBanks::kBankBytes;

Error host_error(const char* what, uint64_t bytes) {
  // Memory that windows need is a file (memfd), and the limit on the sizes of files holds for it.
  const char* hint = errno == EFBIG ? "raise ulimit -f, or use --mmu soft" : "give a smaller --memory";
  return Error{std::string("cannot allocate ") + std::to_string(bytes >> 20) + " MiB of guest memory: " + what + ": " +
               std::strerror(errno) + "; " + hint};
}

}  // namespace

Result<GuestMemory> GuestMemory::allocate(uint64_t bytes, bool shared, bool flash) {
  GuestMemory memory;
  int fd = -1;
  if (shared) {
    fd = memfd_create("crosswalk-guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return host_error("memfd_create", bytes);
    if (ftruncate(fd, static_cast<off_t>(bytes + (flash ? kFlashBytes : 0))) != 0) {
      const Error error = host_error("ftruncate", bytes);
      close(fd);
      return error;
    }
    // What the kernel module asks for (docs/kernel-module.md); nobody else minds.
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
  }
  // Reserve with room to align, map inside, give the ends back. Flash lies as far below RAM as it
  // does for the guest; what is between the two stays reserved.
  const uint64_t below = flash ? kRamBase : 0, reserved = below + bytes + kMemoryGranule;
  void* start = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    const Error error = host_error("mmap", bytes);
    if (fd >= 0) close(fd);
    return error;
  }
  const uint64_t first = reinterpret_cast<uint64_t>(start);
  const uint64_t aligned = (first + kMemoryGranule - 1) & ~(kMemoryGranule - 1), ram = aligned + below;
  void* host = mmap(reinterpret_cast<void*>(ram), bytes, PROT_READ | PROT_WRITE,
                    MAP_FIXED | MAP_NORESERVE | (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS), fd, 0);
  if (host == MAP_FAILED) {
    const Error error = host_error("mmap", bytes);
    munmap(start, reserved);
    if (fd >= 0) close(fd);
    return error;
  }
  if (aligned != first) munmap(start, aligned - first);
  if (ram + bytes != first + reserved) munmap(reinterpret_cast<void*>(ram + bytes), first + reserved - ram - bytes);
  memory.ram_ = GuestRam{kRamBase, bytes, static_cast<uint8_t*>(host), fd, nullptr};
  if (flash) {
    memory.flash_ = std::make_unique<FlashBanks>();
    memory.ram_.flash = memory.flash_.get();
    if (mmap(reinterpret_cast<void*>(aligned), kFlashBytes, PROT_READ | PROT_WRITE,
             MAP_FIXED | MAP_NORESERVE | (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS), fd,
             shared ? static_cast<off_t>(bytes) : 0) == MAP_FAILED)
      return host_error("mmap", bytes);
    madvise(reinterpret_cast<void*>(aligned), kFlashBytes, MADV_DONTDUMP);
  }
  // Advice: a host without transparent huge pages, or one that keeps memory out of core dumps
  // differently, still works.
  madvise(host, bytes, MADV_HUGEPAGE);
  madvise(host, bytes, MADV_DONTDUMP);
  return memory;
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : ram_(std::exchange(other.ram_, GuestRam{})), flash_(std::move(other.flash_)) {}

GuestMemory::~GuestMemory() {
  if (ram_.host) munmap(ram_.flash ? ram_.at(0) : ram_.host, ram_.flash ? ram_.base + ram_.size : ram_.size);
  if (ram_.fd >= 0) close(ram_.fd);
}

}  // namespace crosswalk::vmm
