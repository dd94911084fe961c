// SPDX-License-Identifier: GPL-2.0-or-later
// --perf-map: names translated code for Linux's perf, which reads /tmp/perf-PID.map for addresses
// in anonymous memory (tools/perf/Documentation/jit-interface.txt of Linux).
#pragma once

#include <memory>
#include <string>

#include "translator/base/result.h"
#include "translator/engine/translation_listener.h"
#include "vmm/machine/loader/symbols.h"

namespace crosswalk::vmm {

class PerfMap final : public engine::TranslationListener {
 public:
  // `symbols` outlives the map.
  static Result<std::unique_ptr<PerfMap>> create(const std::string& path, const SymbolTable& symbols);
  // What perf looks for.
  static std::string default_path();
  ~PerfMap() override;

  void thunks_emitted(const x64::Thunks& thunks, const uint8_t* begin, size_t bytes) override;
  void block_translated(const engine::Block& block, bool privileged) override;
  // Writes what is buffered.
  Result<bool> finish();

 private:
  PerfMap(int fd, const std::string& path, const SymbolTable& symbols);
  void line(const uint8_t* begin, size_t bytes, const std::string& name);
  void write_out();

  const int fd_;
  const std::string path_;
  const SymbolTable& symbols_;
  std::string buffer_;
  int error_ = 0;
};

}  // namespace crosswalk::vmm
