// SPDX-License-Identifier: GPL-2.0-or-later
// Kernels: whatever the file holds, it is loaded into RAM or refused.
#include "vmm/machine/loader/loader.h"

#include "tests/fuzz/input.h"
#include "vmm/machine/loader/guest_memory.h"

using namespace crosswalk;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto memory = vmm::GuestMemory::allocate(vmm::kMinMemory, false);
  if (!memory) std::abort();
  const GuestRam& ram = memory->ram();
  const fuzz::MemoryFile kernel(data, size);
  vmm::BootConfig config;
  config.kernel = kernel.path();
  config.append = "console=ttyAMA0";
  auto loaded = vmm::load_guest(ram, config);
  if (!loaded) {
    if (loaded.error().empty() || loaded.error().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (!ram.contains(loaded->image_start, loaded->image_end - loaded->image_start)) std::abort();
  if (loaded->dtb_end != 0 && !ram.contains(loaded->dtb_start, loaded->dtb_end - loaded->dtb_start)) std::abort();
  return 0;
}
