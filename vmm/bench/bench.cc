// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench/bench.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <memory>
#include <optional>
#include <set>

#include "vmm/base/exit_status.h"
#include "vmm/bench/bench_process.h"
#include "vmm/bench/bench_report.h"

namespace crosswalk::vmm {
namespace {

constexpr const char* kFirstUserOutput = "crosswalk: first user-space output";
constexpr const char* kBootWorkload = "start_to_user_space";
constexpr const char *kLinux = "Linux", *kBoot = "Linux's boot", *kBareFlat = "bench_flat", *kBareMmu = "bench_mmu",
                     *kPrograms = "programs";
// the guest's next slice begins when it gets a line
constexpr const char* kReady = "bench: ready ";
// the guest that is saved: its options are to come in a line
constexpr const char* kWaiting = "bench: waiting";

// The rows that the guest programs print (tests/guests/), in the order of the table.
std::vector<Workload> known_workloads() {
  std::vector<Workload> workloads;
  for (const char* name :
       {"integer_alu", "crc32_bitwise", "qsort_ints", "matmul_float", "matmul_simd", "double_arithmetic", "interpreter",
        "recursive_calls", "pointer_calls", "pointer_chase_1m", "pointer_chase_64m", "memcpy_kib", "sha256_block",
        "string_functions", "memcpy_unaligned_kib", "simd_shifts", "simd_filter", "mutex_atomics", "jit_mixed"})
    workloads.push_back({name, WorkloadGroup::Compute});
  for (const char* name : {"getppid", "page_touch", "mprotect_pair", "fork_wait", "fork_cow_512", "pipe_round_trip",
                           "fork_exec_wait", "exec_pie_aslr", "two_phases"})
    workloads.push_back({name, WorkloadGroup::System});
  for (const char* name :
       {"chase_64k", "chase_256k", "chase_1m", "chase_4m", "chase_16m", "chase_64m", "stride_line_16m",
        "stride_page_16m", "fork_storm", "switch_pipe_8", "switch_threads_4", "switch_futex_4", "mmap_churn"})
    workloads.push_back({name, WorkloadGroup::Experiment});
  for (const char* name : {"program_bzip2", "program_sqlite3", "program_python3", "program_gcc", "openssl_sha256_8k",
                           "openssl_aes128_8k", "openssl_rsa2048_sign"})
    workloads.push_back({name, WorkloadGroup::Program});
  workloads.push_back({kBootWorkload, WorkloadGroup::Boot});
  for (const char* name : {"flat_alu", "flat_load", "flat_store_load", "flat_float", "flat_calls", "flat_svc",
                           "flat_device_read", "mmu_section_chase_256k", "mmu_section_chase_16m", "mmu_page_chase_256k",
                           "mmu_page_chase_16m", "mmu_flush_all_touch_16", "mmu_flush_page_touch", "mmu_remap_page",
                           "mmu_switch_space", "mmu_domain_change", "mmu_data_abort"})
    workloads.push_back({name, WorkloadGroup::BareMetal});
  return workloads;
}

// The pointer chases are there as a bare-metal program too, for what they cost with the MMU off.
bool is_chase(const std::string& workload) { return workload.starts_with("chase_"); }

// The kernel of such an image; its command line names the rows and the slices.
constexpr const char* kChaseProgram = "/bare/bench_chase.bin";

// Engines that run the Linux program itself, without a machine around it.
bool runs_program(const BenchEngine& engine) { return engine.name == "native" || engine.name == "qemu-user"; }

bool selected(const Workload& workload, const std::vector<std::string>& wanted) {
  const WorkloadGroup group = workload.group;
  if (wanted.empty()) return group != WorkloadGroup::Experiment && group != WorkloadGroup::Program;
  const bool in_linux =
      group == WorkloadGroup::Compute || group == WorkloadGroup::System || group == WorkloadGroup::Boot;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& word) {
    return word == workload.name || word == group_key(group) || word == "all" || (word == "linux" && in_linux);
  });
}

// What one run is made of; the same for every engine.
struct GuestImage {
  std::string name;
  std::string kernel, initrd{}, append{}, disk{};
  std::vector<std::string> rows{};  // workloads that a complete run prints
  bool in_slices = false;           // the engines take turns within a run
  std::string snapshot{};           // modes of this program go on from there, and get `words`
  std::string words{};              // what else the command line says to the guest's program
};

class Bench {
 public:
  Bench(const BenchOptions& options, const Invocation& invocation, std::string self, std::string images)
      : options_(options), conditions_(invocation), self_(std::move(self)), images_(std::move(images)) {}

  int run() {
    if (const std::string problem = prepare(); !problem.empty()) {
      fmt::print(stderr, "crosswalk bench: {}\n", problem);
      return kExitBadOptions;
    }
    if (const std::string problem = save_guest(); !problem.empty()) {
      fmt::print(stderr, "crosswalk bench: --snapshots: {}\n", problem);
      return kExitInternalError;
    }
    for (unsigned round = 0; round < options_.repeat; ++round)
      for (const GuestImage& image : guest_images_) run_image(image, round);
    conditions_.end();
    const bool busy = conditions_.host_is_busy(static_cast<unsigned>(std::stoul(options_.smp)));
    fmt::print("{}\n{}", conditions_.text(), format_report(samples_, chosen_, engines_, baseline_, busy));
    std::fflush(stdout);
    if (!options_.json_file.empty()) {
      std::ofstream file(options_.json_file);
      file << format_json(samples_, chosen_, engines_, baseline_, conditions_, busy);
      if (!file.flush()) {
        fmt::print(stderr, "crosswalk bench: cannot write --json file {}\n", options_.json_file);
        return kExitInternalError;
      }
    }
    return std::any_of(engines_.begin(), engines_.end(), [](const BenchEngine& engine) { return engine.failed; })
               ? kExitInternalError
               : kExitPoweredOff;
  }

 private:
  // Returns what is wrong with the options or the host, or nothing.
  std::string prepare() {
    const std::vector<Workload> known = known_workloads();
    for (const std::string& word : options_.workloads)
      if (std::none_of(known.begin(), known.end(),
                       [&](const Workload& workload) { return selected(workload, {word}); }))
        return fmt::format(
            "--workloads: unknown workload '{}'; give names from the table, or linux, bare, compute, system, boot, "
            "experiment, program, all",
            word);
    for (const Workload& workload : known) {
      if (!selected(workload, options_.workloads)) continue;
      if (options_.bare_chases && !is_chase(workload.name))
        return fmt::format("--bare-chases: {} is none; give --workloads chase_64k or the like", workload.name);
      chosen_.push_back(workload);
    }

    for (const std::string& other : options_.baselines) {
      if (!is_baseline(other))
        return fmt::format("--baseline: unknown baseline '{}'; give qemu, qemu-user or native", other);
      engines_.push_back({other});
    }
    for (const BenchMode& mode : options_.mmu_modes) {
      BenchEngine engine{mode.name, "", false};
      for (const std::string& device : mode.devices) {
        if (engine.skipped.empty()) engine.skipped = device_problem(device);
      }
      engines_.push_back(engine);
    }
    if (engines_.empty()) return "nothing to run; give --mmu or --baseline";
    baseline_ = engines_.front().name;

    if (!options_.stats_folder.empty() && !std::filesystem::is_directory(options_.stats_folder))
      return fmt::format("--stats: {} is not a folder; make it first", options_.stats_folder);
    if (!options_.snapshots_folder.empty() && !std::filesystem::is_directory(options_.snapshots_folder))
      return fmt::format("--snapshots: {} is not a folder; make it first", options_.snapshots_folder);
    make_guest_images();
    for (const GuestImage& image : guest_images_)
      for (const std::string& path : {image.kernel, image.initrd, image.disk})
        if (!path.empty() && !std::filesystem::is_regular_file(path))
          return fmt::format("no guest image {}; run 'make {}', or name their folder with --images", path,
                             path == image.disk ? "rootfs" : "guest");
    return "";
  }

  static std::string device_problem(const std::string& device) {
    const int fd = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return fmt::format("cannot open {}: {}", device, std::strerror(errno));
    ::close(fd);
    return "";
  }

  void make_guest_images() {
    const std::string kernel = images_ + "/" + options_.kernel + "/vmlinuz";
    GuestImage linux_image{
        .name = kLinux,
        .kernel = kernel,
        .initrd = images_ + "/initrd-bench.gz",
        .append = fmt::format("console=ttyAMA0 quiet rdinit=/bench-linux -- {}", fmt::join(linux_options(), " ")),
        .in_slices = true};
    GuestImage programs{.name = kPrograms,
                        .kernel = kernel,
                        .initrd = images_ + "/initrd-" + options_.kernel + ".gz",
                        .append = fmt::format("console=ttyAMA0 quiet -- run-programs --slices {}", options_.slices),
                        .disk = images_ + "/rootfs.ext4",
                        .in_slices = true};
    GuestImage flat{.name = kBareFlat, .kernel = images_ + "/bare/bench_flat.bin"};
    GuestImage mmu{.name = kBareMmu, .kernel = images_ + "/bare/bench_mmu.bin"};
    const std::string base_append = linux_image.append;
    bool boot = false;
    for (const Workload& workload : chosen_) {
      switch (workload.group) {
        case WorkloadGroup::Boot: boot = true; break;
        case WorkloadGroup::BareMetal:
          (workload.name.starts_with("flat_") ? flat : mmu).rows.push_back(workload.name);
          break;
        case WorkloadGroup::Compute:
        case WorkloadGroup::System:
        case WorkloadGroup::Experiment:
        case WorkloadGroup::Program:
          GuestImage& image = workload.group == WorkloadGroup::Program ? programs : linux_image;
          image.rows.push_back(workload.name);
          image.append += " " + workload.name;
          break;
      }
    }
    // the program wants something to do
    GuestImage boot_image = linux_image;
    boot_image.rows.clear();
    boot_image.append = base_append + " getppid";
    if (!options_.snapshots_folder.empty() && !linux_image.rows.empty()) {
      linux_image.snapshot = fmt::format("{}/bench-{}-{}-smp{}.snapshot", options_.snapshots_folder, options_.kernel,
                                         options_.memory, options_.smp);
      linux_image.words = linux_image.append.substr(linux_image.append.find(" -- ") + 4);
      // What a boot takes is known only of one.
      boot_image.name = kBoot;
      if (boot) guest_images_.push_back(boot_image);
      guest_images_.push_back(linux_image);
    } else if (boot || !linux_image.rows.empty()) {
      guest_images_.push_back(linux_image.rows.empty() ? boot_image : linux_image);
    }
    for (const GuestImage& image : {programs, flat, mmu})
      if (!image.rows.empty()) guest_images_.push_back(image);
  }

  // Makes the snapshot that Linux guests go on from, unless it is there and newer than what it is
  // made of. Returns what went wrong, or nothing.
  std::string save_guest() const {
    const auto image = std::find_if(guest_images_.begin(), guest_images_.end(),
                                    [](const GuestImage& other) { return !other.snapshot.empty(); });
    const bool wanted = image != guest_images_.end() &&
                        std::any_of(engines_.begin(), engines_.end(),
                                    [&](const BenchEngine& engine) { return restores(engine, *image); });
    if (!wanted) return "";
    std::error_code error;
    const auto made = std::filesystem::last_write_time(image->snapshot, error);
    const bool there = !error;
    const auto newer = [&](const std::string& path) { return std::filesystem::last_write_time(path, error) > made; };
    if (there && !newer(self_) && !newer(image->kernel) && !newer(image->initrd)) return "";

    fmt::print(stderr, "bench: a guest boots, to be saved as {}\n", image->snapshot);
    // A socket's path is short.
    std::string folder = (std::filesystem::temp_directory_path() / "crosswalk-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return fmt::format("cannot make {}: {}", folder, std::strerror(errno));
    std::string problem = save_guest_by(*image, "unix:" + folder + "/control");
    std::filesystem::remove_all(folder, error);
    return problem;
  }

  std::string save_guest_by(const GuestImage& image, const std::string& socket) const {
    ChildProcess guest({self_, "run", "--semihosting", "--mmu", "soft", "--memory", options_.memory, "--smp",
                        options_.smp, "--control", socket, "--kernel", image.kernel, "--initrd", image.initrd,
                        "--append", "console=ttyAMA0 quiet rdinit=/bench-linux -- --wait"},
                       options_.timeout_seconds);
    if (!guest.wait_for_line(kWaiting))
      return fmt::format("the guest to be saved does not wait: {}", guest.finish().error_text);
    const std::string file = image.snapshot + ".new";
    const ProcessOutcome saved =
        run_process({self_, "snapshot", "--control", socket, "--output", file, "--quit"}, options_.timeout_seconds);
    std::error_code error;
    if (saved.exit_status != 0) {
      std::filesystem::remove(file, error);
      return fmt::format("no snapshot of the guest: {}", saved.error_text);
    }
    std::filesystem::rename(file, image.snapshot, error);
    return error ? fmt::format("cannot rename {}: {}", file, error.message()) : "";
  }

  std::vector<std::string> linux_options() const {
    return {"--ms", std::to_string(options_.milliseconds), "--slices", std::to_string(options_.slices)};
  }

  // Engines that run the chases of the Linux image as a bare-metal program.
  bool chases_bare(const BenchEngine& engine) const {
    return engine.name == "flat" || (options_.bare_chases && !runs_program(engine));
  }

  bool restores(const BenchEngine& engine, const GuestImage& image) const {
    return !image.snapshot.empty() && engine.skipped.empty() && !is_baseline(engine.name) && !chases_bare(engine);
  }

  // What this engine can run of an image: all, or for the chases without an MMU only those.
  std::vector<std::string> rows_of(const BenchEngine& engine, const GuestImage& image) const {
    std::vector<std::string> rows = image.rows;
    if (runs_program(engine) && image.name != kLinux) rows.clear();
    if (engine.name == "flat" && image.name != kBareFlat)
      std::erase_if(rows, [](const std::string& row) { return !is_chase(row); });
    return rows;
  }
  bool runs(const BenchEngine& engine, const GuestImage& image) const {
    return engine.skipped.empty() && !failed_.contains({engine.name, image.name}) &&
           (!rows_of(engine, image).empty() ||
            (image.rows.empty() && engine.name != "flat" && (image.name == kLinux || !runs_program(engine))));
  }

  std::vector<std::string> command(const BenchEngine& engine, const GuestImage& image, unsigned round) const {
    std::vector<std::string> arguments;
    if (runs_program(engine)) {
      if (engine.name == "qemu-user") arguments = {"qemu-arm", "-cpu", "cortex-a15"};
      arguments.push_back(images_ + (engine.name == "native" ? "/bench/bench-native" : "/bench/bench-linux"));
      const std::vector<std::string> words = linux_options();
      arguments.insert(arguments.end(), words.begin(), words.end());
      arguments.insert(arguments.end(), image.rows.begin(), image.rows.end());
      return arguments;
    }
    const bool qemu = engine.name == "qemu";
    const char* dashes = qemu ? "-" : "--";
    if (qemu) {
      arguments = {
          "qemu-system-arm", "-M",      "virt",  "-cpu",     "cortex-a15", "-m",   options_.memory, "-nographic",
          "-nodefaults",     "-serial", "stdio", "-monitor", "none",       "-nic", "none",          "-no-reboot",
          "-semihosting"};
    } else {
      arguments = {self_, "run", "--semihosting"};
      const std::vector<std::string> mode = mode_arguments(engine.name);
      arguments.insert(arguments.end(), mode.begin(), mode.end());
      if (!options_.stats_folder.empty())
        arguments.insert(arguments.end(), {"--stats-json", fmt::format("{}/{}-{}-{}.json", options_.stats_folder,
                                                                       engine.name, image.name, round + 1)});
      if (restores(engine, image)) {
        arguments.insert(arguments.end(), {"--restore", image.snapshot});
        return arguments;
      }
      arguments.insert(arguments.end(), {"--memory", options_.memory});
    }
    arguments.insert(arguments.end(), {std::string(dashes) + "smp", options_.smp});
    std::string kernel = image.kernel, initrd = image.initrd, append = image.append;
    if (chases_bare(engine) && image.name == kLinux) {
      kernel = images_ + kChaseProgram;
      initrd.clear();
      append = fmt::format("slices={} {}", options_.slices, fmt::join(rows_of(engine, image), " "));
    }
    arguments.insert(arguments.end(), {std::string(dashes) + "kernel", kernel});
    if (!initrd.empty()) arguments.insert(arguments.end(), {std::string(dashes) + "initrd", initrd});
    if (!append.empty()) arguments.insert(arguments.end(), {std::string(dashes) + "append", append});
    if (!image.disk.empty() && qemu)
      arguments.insert(arguments.end(), {"-drive", "if=none,id=root,format=raw,readonly=on,file=" + image.disk,
                                         "-device", "virtio-blk-device,drive=root"});
    else if (!image.disk.empty())
      arguments.insert(arguments.end(), {"--disk", image.disk + ",readonly"});
    return arguments;
  }

  // How long the rest takes, in words, if each workload takes as long as those before it: when
  // `done` of this round's are done. Empty before the first.
  std::string left(unsigned round, size_t done) const {
    const double share = (round + static_cast<double>(done) / static_cast<double>(chosen_.size())) / options_.repeat;
    if (share <= 0) return "";
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    const double seconds = spent.count() * (1 - share) / share;
    return seconds < 90 ? fmt::format(", about {:.0f} s left", seconds)
                        : fmt::format(", about {:.0f} min left", seconds / 60);
  }

  // One run of the image in every engine. Where it is in slices, they are started one after the
  // other, each up to its first slice; then each in turn runs one.
  void run_image(const GuestImage& image, unsigned round) {
    struct Run {
      BenchEngine* engine;
      std::unique_ptr<ChildProcess> process;
      std::optional<std::string> next;  // the workload of the slice that it waits for
    };
    std::list<Run> running;
    const auto end = [&](Run& run) { record(*run.engine, image, run.process->finish(), round); };
    for (BenchEngine& engine : engines_) {
      if (!runs(engine, image)) continue;
      fmt::print(stderr, "bench: run {} of {}: {} in {}\n", round + 1, options_.repeat, image.name, engine.name);
      Run run{&engine, std::make_unique<ChildProcess>(command(engine, image, round), options_.timeout_seconds), {}};
      if (restores(engine, image)) run.process->send_line(image.words);
      if (image.in_slices) run.next = run.process->wait_for_line(kReady);
      if (run.next)
        running.push_back(std::move(run));
      else
        end(run);
    }
    std::string workload;
    while (!running.empty()) {
      // The guests have the order of the table. An engine that cannot run the first workload left
      // waits for the others.
      const auto first = std::find_if(chosen_.begin(), chosen_.end(), [&](const Workload& w) {
        return std::any_of(running.begin(), running.end(), [&](const Run& run) { return run.next == w.name; });
      });
      const std::string name = first != chosen_.end() ? first->name : *running.front().next;
      if (name != workload)
        fmt::print(stderr, "bench: run {} of {}: {}{}\n", round + 1, options_.repeat, name,
                   left(round, static_cast<size_t>(first - chosen_.begin())));
      workload = name;
      for (auto run = running.begin(); run != running.end();) {
        if (run->next != workload) {
          ++run;
          continue;
        }
        run->process->send_line();
        run->next = run->process->wait_for_line(kReady);
        if (run->next) {
          ++run;
        } else {
          end(*run);
          run = running.erase(run);
        }
      }
    }
  }

  void record(BenchEngine& engine, const GuestImage& image, const ProcessOutcome& outcome, unsigned round) {
    std::vector<std::string> missing = rows_of(engine, image);
    std::vector<std::pair<std::string, double>> found;
    for (const TimedLine& line : outcome.lines) {
      if (line.text.starts_with("bench: ") && line.text != "bench: begin" && line.text != "bench: end 0" &&
          !line.text.starts_with(kReady))
        fmt::print(stderr, "bench: {} in {}: {}\n", image.name, engine.name, line.text);
      if (line.text == kFirstUserOutput) found.emplace_back(kBootWorkload, line.seconds * 1e9);
      if (const auto row = parse_row(line.text)) {
        found.push_back(*row);
        std::erase(missing, row->first);
      }
    }
    const bool complete = outcome.started && !outcome.timed_out && outcome.exit_status == 0 && missing.empty();
    // Each row was checked by the guest before it was printed, so that those before a failure count
    // too.
    for (const auto& [name, nanoseconds] : found) samples_.add(engine.name, name, nanoseconds);
    if (complete) return;
    std::string why = outcome.timed_out ? fmt::format("no end after {} s", options_.timeout_seconds)
                      : !missing.empty() && outcome.exit_status == 0
                          ? fmt::format("no result of {}", fmt::join(missing, ", "))
                          : fmt::format("exit status {}", outcome.exit_status);
    if (!outcome.error_text.empty()) why += ": " + outcome.error_text;
    // A mode that refuses its options before the guest prints anything is one that this host cannot
    // run. What is wrong with a snapshot is wrong for all.
    const bool bad_snapshot = restores(engine, image) && outcome.error_text.find("--restore") != std::string::npos;
    if (!outcome.started ||
        (round == 0 && outcome.exit_status == kExitBadOptions && outcome.lines.empty() && !bad_snapshot)) {
      engine.skipped = why;
      return;
    }
    engine.failed = true;
    failed_.insert({engine.name, image.name});
    fmt::print(stderr, "bench: {} in {} failed: {}\n", image.name, engine.name, why);
  }

  // `name<TAB>nanoseconds`
  std::optional<std::pair<std::string, double>> parse_row(const std::string& line) const {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(line.data() + tab + 1, line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size() || value <= 0) return std::nullopt;
    return std::pair(line.substr(0, tab), value);
  }

  const BenchOptions& options_;
  Conditions conditions_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string self_, images_;
  std::string baseline_;
  std::vector<Workload> chosen_;
  std::vector<BenchEngine> engines_;
  std::vector<GuestImage> guest_images_;
  std::set<std::pair<std::string, std::string>> failed_;  // (engine, image): not tried again
  BenchSamples samples_;
};

}  // namespace

std::vector<std::string> mode_arguments(const std::string& mode) {
  size_t plus = mode.find('+');
  const std::string name = mode.substr(0, plus);
  const size_t colon = name.find(':');
  std::vector<std::string> arguments = {"--mmu", name.substr(0, colon)};
  if (colon != std::string::npos) arguments.insert(arguments.end(), {"--flush", name.substr(colon + 1)});
  while (plus != std::string::npos) {
    const size_t next = mode.find('+', plus + 1);
    arguments.push_back("--" + mode.substr(plus + 1, next - plus - 1));
    plus = next;
  }
  return arguments;
}

int run_bench(const BenchOptions& options, const Invocation& invocation) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    fmt::print(stderr, "crosswalk bench: cannot find this executable: {}\n", error.message());
    return kExitInternalError;
  }
  const std::string images = options.images.empty() ? (self.parent_path() / "guest").string() : options.images;
  return Bench(options, invocation, self.string(), images).run();
}

}  // namespace crosswalk::vmm
