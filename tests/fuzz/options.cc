// SPDX-License-Identifier: GPL-2.0-or-later
// Command lines: an option for each line of the input. A bad one is an error of one line.
#include "vmm/app/options.h"

#include "tests/fuzz/input.h"

using namespace crosswalk;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Some options open a file for writing, which stays inside the current folder like this.
  std::string text(reinterpret_cast<const char*>(data), size);
  std::replace(text.begin(), text.end(), '/', '_');
  std::replace(text.begin(), text.end(), '\0', '_');
  std::vector<std::string> arguments;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    arguments.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  // Any file is a kernel.
  if (!arguments.empty() && arguments[0] == "run") arguments.insert(arguments.end(), {"--kernel", "/proc/self/exe"});
  const vmm::Command command = vmm::parse_options(arguments);
  if (const auto* error = std::get_if<vmm::OptionError>(&command)) {
    if (error->message.empty()) std::abort();
  }
  return 0;
}
