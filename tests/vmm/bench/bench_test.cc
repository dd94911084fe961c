// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench/bench.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/limits.h"
#include "vmm/base/exit_status.h"
#include "vmm/bench/bench_process.h"
#include "vmm/bench/bench_report.h"

namespace crosswalk::vmm {
namespace {

// For processes that end by themselves.
unsigned long_enough() { return static_cast<unsigned>(test::patience().count() / 1000); }

TEST(FormatTime, KeepsThreeDigitsAndPicksTheUnit) {
  EXPECT_EQ(format_time(0.53), "0.53 ns");
  EXPECT_EQ(format_time(12.34), "12.3 ns");
  EXPECT_EQ(format_time(999.6), "1.00 us");
  EXPECT_EQ(format_time(67983), "68.0 us");
  EXPECT_EQ(format_time(53.9e6), "53.9 ms");
  EXPECT_EQ(format_time(3.2e9), "3.20 s");
  EXPECT_EQ(format_time(4.2e12), "4200 s");
}

TEST(BenchSamples, MedianOfOddAndEvenCounts) {
  BenchSamples samples;
  EXPECT_EQ(samples.median("soft", "w"), 0);
  for (const double value : {5.0, 1.0, 100.0}) samples.add("soft", "w", value);
  EXPECT_EQ(samples.median("soft", "w"), 5);
  samples.add("soft", "w", 7);
  EXPECT_EQ(samples.median("soft", "w"), 6);
}

// Measurements that were made together are compared with each other: what slows both does not
// count.
TEST(BenchSamples, RatiosAreOfNeighbours) {
  BenchSamples samples;
  for (const double load : {1.0, 3.0, 9.0}) {
    samples.add("qemu", "w", 10 * load);
    samples.add("soft", "w", 5 * load);
  }
  EXPECT_DOUBLE_EQ(samples.ratio("soft", "qemu", "w"), 2);
  samples.add("soft", "w", 50);  // 5, 15, 45, 50 and 10, 30, 90: of the medians
  EXPECT_DOUBLE_EQ(samples.ratio("soft", "qemu", "w"), 1);
  EXPECT_EQ(samples.ratio("mmap", "qemu", "w"), 0);
}

TEST(BenchSamples, SpreadIsTheInterquartileRange) {
  BenchSamples samples;
  EXPECT_EQ(samples.spread("soft", "w"), 0);
  samples.add("soft", "w", 100);
  EXPECT_EQ(samples.spread("soft", "w"), 0);
  for (const double value : {104.0, 96.0, 98.0, 102.0}) samples.add("soft", "w", value);
  EXPECT_DOUBLE_EQ(samples.spread("soft", "w"), 0.04);  // 98 to 102
  samples.add("mmap", "w", 90);
  samples.add("mmap", "w", 110);
  EXPECT_DOUBLE_EQ(samples.spread("mmap", "w"), 0.1);  // 95 to 105
}

TEST(BenchReport, NoisyRowsAreMarkedInTextAndJson) {
  BenchSamples samples;
  for (const double value : {100.0, 101.0, 102.0}) samples.add("qemu", "w", value);
  for (const double value : {50.0, 60.0, 99.0}) samples.add("soft", "w", value);
  samples.add("mmap", "w", 20);
  const std::vector<Workload> workloads = {{"w", WorkloadGroup::Compute}};
  const std::vector<BenchEngine> engines = {{"qemu"}, {"soft"}, {"mmap"}};
  std::string report = format_report(samples, workloads, engines, "qemu", false);
  EXPECT_NE(report.find("101 ns   (1 %) "), std::string::npos) << report;
  EXPECT_NE(report.find("60.0 ns  (41 %)*  1.68x"), std::string::npos) << report;
  EXPECT_NE(report.find("20.0 ns           5.05x"), std::string::npos) << report;
  const Conditions conditions({"0.1", "c0ffee", {"crosswalk", "bench"}});
  auto json = nlohmann::json::parse(format_json(samples, workloads, engines, "qemu", conditions, false));
  EXPECT_EQ(json["conditions"]["commit"], "c0ffee");
  EXPECT_EQ(json["conditions"]["command"], "crosswalk bench");
  EXPECT_FALSE(json["engines"]["qemu"]["workloads"]["w"]["noisy"]);
  EXPECT_TRUE(json["engines"]["soft"]["workloads"]["w"]["noisy"]);
  EXPECT_FALSE(json["engines"]["mmap"]["workloads"]["w"].contains("spread"));

  report = format_report(samples, workloads, engines, "qemu", true);
  EXPECT_NE(report.find("The host was busy"), std::string::npos);
  EXPECT_NE(report.find("101 ns   (1 %)*"), std::string::npos) << report;
  json = nlohmann::json::parse(format_json(samples, workloads, engines, "qemu", conditions, true));
  EXPECT_TRUE(json["host_busy"]);
  EXPECT_TRUE(json["engines"]["qemu"]["workloads"]["w"]["noisy"]);
}

TEST(BenchReport, HybridIsComparedWithTheBestMode) {
  BenchSamples samples;
  samples.add("native", "w", 1);
  samples.add("soft", "w", 10);
  samples.add("mmap", "w", 6);
  samples.add("hybrid", "w", 8);
  const std::vector<Workload> workloads = {{"w", WorkloadGroup::Compute}};
  std::vector<BenchEngine> engines = {{"native"}, {"soft"}, {"mmap"}, {"hybrid"}};
  const std::string report = format_report(samples, workloads, engines, "native", false);
  const size_t at = report.find("best other mode");
  ASSERT_NE(at, std::string::npos) << report;
  EXPECT_NE(report.find("mmap", at), std::string::npos) << report;
  EXPECT_NE(report.find("0.75x", at), std::string::npos) << report;
  EXPECT_NE(report.find("1.25x", at), std::string::npos) << report;
  engines.pop_back();
  EXPECT_EQ(format_report({}, workloads, engines, "native", false).find("best other mode"), std::string::npos);
}

TEST(BenchSamples, GeometricMeanSkipsOtherGroupsAndMissingRows) {
  BenchSamples samples;
  const std::vector<Workload> workloads = {{"a", WorkloadGroup::Compute},
                                           {"b", WorkloadGroup::Compute},
                                           {"c", WorkloadGroup::Compute},
                                           {"s", WorkloadGroup::System}};
  samples.add("qemu", "a", 8);
  samples.add("soft", "a", 2);
  samples.add("qemu", "b", 9);
  samples.add("soft", "b", 9);
  samples.add("qemu", "c", 5);
  samples.add("qemu", "s", 1000);
  samples.add("soft", "s", 1);
  EXPECT_DOUBLE_EQ(geometric_mean_ratio(samples, workloads, WorkloadGroup::Compute, "qemu", "soft"), 2);
  EXPECT_EQ(geometric_mean_ratio(samples, workloads, WorkloadGroup::Boot, "qemu", "soft"), 0);
  const std::string report = format_report(samples, workloads, {{"qemu"}, {"soft"}, {"ept", "no KVM"}}, "qemu", false);
  EXPECT_NE(report.find("4.00x"), std::string::npos) << report;
  EXPECT_NE(report.find("ept: skipped: no KVM"), std::string::npos) << report;
}

TEST(RunProcess, CollectsLinesStatusAndErrors) {
  const ProcessOutcome outcome =
      run_process({"/bin/sh", "-c", "printf 'one\\r\\ntwo'; echo bad >&2; exit 7"}, long_enough());
  ASSERT_TRUE(outcome.started);
  EXPECT_EQ(outcome.exit_status, 7);
  ASSERT_EQ(outcome.lines.size(), 2u);
  EXPECT_EQ(outcome.lines[0].text, "one");
  EXPECT_EQ(outcome.lines[1].text, "two");
  EXPECT_EQ(outcome.error_text, "bad");
}

TEST(RunProcess, KillsAfterTheTimeout) {
  const ProcessOutcome outcome = run_process({"/bin/sh", "-c", "exec sleep 60"}, 1);
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_status, 128 + 9);
}

TEST(ChildProcess, TakesTurns) {
  ChildProcess process({"/bin/sh", "-c", "for i in 1 2; do echo ready $i; read line; echo got $i; done"},
                       long_enough());
  ASSERT_TRUE(process.wait_for_line("ready"));
  EXPECT_EQ(process.outcome().lines.back().text, "ready 1");
  process.send_line();
  ASSERT_TRUE(process.wait_for_line("ready"));
  EXPECT_EQ(process.outcome().lines.back().text, "ready 2");
  process.send_line();
  EXPECT_FALSE(process.wait_for_line("ready"));
  process.send_line();  // nobody reads it
  const ProcessOutcome& outcome = process.finish();
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.lines.size(), 4u);
}

// The end of the input does not leave it waiting.
TEST(ChildProcess, FinishEndsTheInput) {
  ChildProcess process({"/bin/sh", "-c", "read line || echo no more"}, long_enough());
  EXPECT_EQ(process.finish().lines.at(0).text, "no more");
}

// Only the time that it was waited for counts.
TEST(ChildProcess, TheTimeOfOthersDoesNotCount) {
  const auto limit = static_cast<unsigned>(std::ceil(test::load_factor()));
  ChildProcess process({"/bin/sh", "-c", "echo ready; read line; echo end"}, limit);
  ASSERT_TRUE(process.wait_for_line("ready"));
  run_process({"/bin/sh", "-c", "sleep " + std::to_string(limit) + ".2"}, long_enough());
  process.send_line();
  EXPECT_EQ(process.finish().exit_status, 0);
  EXPECT_FALSE(process.outcome().timed_out);
}

// A benchmark that is killed leaves no guest behind.
TEST(ChildProcess, DiesWithItsParent) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    ChildProcess process({"/bin/sh", "-c", "echo $$; exec sleep 60"}, 60);
    process.wait_for_line("");
    _exit(1);
  }
  // The descriptor is inherited by both: its end comes when both are gone.
  close(pipe_ends[1]);
  usleep(300'000);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  pollfd end = {pipe_ends[0], POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, static_cast<int>(test::patience().count())), 1);
  close(pipe_ends[0]);
}

TEST(RunProcess, MissingProgram) {
  const ProcessOutcome outcome = run_process({"/nonexistent/program"}, 5);
  EXPECT_FALSE(outcome.started);
  EXPECT_NE(outcome.error_text.find("/nonexistent/program"), std::string::npos);
}

TEST(RunBench, BadOptionsAreOneLine) {
  BenchOptions options;
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--mmu"), std::string::npos);
  options.mmu_modes = {{"soft"}};
  options.images = "/nonexistent";
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("make guest"), std::string::npos);
  options.workloads = {"no_such_workload"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no_such_workload"), std::string::npos);
  options.workloads = {};
  options.stats_folder = "/nonexistent/folder";
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("/nonexistent/folder"), std::string::npos);
  options.stats_folder = "";
  options.baselines = {"bochs"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("bochs"), std::string::npos);
  options.baselines = {};
  options.bare_chases = true;
  options.workloads = {"chase_4m", "getppid"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options, {}), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--bare-chases: getppid"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
