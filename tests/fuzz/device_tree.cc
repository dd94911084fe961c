// SPDX-License-Identifier: GPL-2.0-or-later
// --dtb FILE: any file is refused, or becomes a tree that the guest can read.
#include "vmm/machine/loader/device_tree.h"

#include <libfdt.h>

#include "tests/fuzz/input.h"

using namespace crosswalk;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  auto tree = vmm::load_device_tree(file.path());
  if (!tree) return 0;
  auto patched = vmm::patch_device_tree(*tree, {0x40000000, 512 << 20, "quiet", 0x48000000, 0x48001000});
  if (patched && fdt_check_full(patched->data(), patched->size()) != 0) std::abort();
  return 0;
}
