// SPDX-License-Identifier: GPL-2.0-or-later
// A file that an option names and that is written when the guest has ended. It is opened, and
// emptied, before the guest starts: a path that cannot be written is told at once, and the sandbox
// lets nothing be opened later.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "translator/base/result.h"

namespace crosswalk::vmm {

class OutputFile {
 public:
  // "-" is standard output.
  static Result<OutputFile> open(const std::string& option, const std::string& path);

  FILE* stream() const { return file_.get(); }
  // Closes it. `written`: what the caller wrote was taken; if not, errno says why.
  Result<bool> finish(bool written);

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  OutputFile(FILE* file, std::string name) : file_(file), name_(std::move(name)) {}

  std::unique_ptr<FILE, Close> file_;
  std::string name_;  // option and path, for errors
};

}  // namespace crosswalk::vmm
