#include "runtime/cores.h"

#include <algorithm>
#include <thread>

#if defined(__linux__)
  #include <sched.h>

  #include <cmath>
  #include <cstdio>
  #include <cstdlib>
  #include <set>
  #include <string>
#elif defined(__APPLE__)
  #include <sys/sysctl.h>
#elif defined(_WIN32)
  #include <windows.h>

  #include <vector>
#endif

namespace convmat {
namespace {

#if defined(__linux__)

// The lines of a file of the system, short ones; none when it cannot be read. (Streams would triple the
// binary.)
class Lines {
 public:
  explicit Lines(const std::string& path) : file_(std::fopen(path.c_str(), "re")) {}
  ~Lines() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  bool next(std::string* line) {
    char text[4096];
    if (file_ == nullptr || std::fgets(text, sizeof text, file_) == nullptr) return false;
    *line = text;
    while (!line->empty() && line->back() == '\n') line->pop_back();
    return true;
  }

 private:
  std::FILE* file_;
};

// Distinct cores among the allowed CPUs: CPUs of one core show the same list of siblings. 0 when unknown.
int cores_by_affinity() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;  // more CPUs than the set holds
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string self = std::to_string(cpu);
    std::string siblings;
    if (!Lines("/sys/devices/system/cpu/cpu" + self + "/topology/thread_siblings_list").next(&siblings)) {
      siblings = "cpu" + self;  // containers may hide the topology
    }
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

// Cores' worth of time that one cgroup directory grants: infinity when it sets no limit («max», or -1 in
// version 1).
double quota_of(const std::string& directory) {
  std::string quota, period;
  double q = -1, p = 0;
  if (Lines(directory + "/cpu.max").next(&quota)) {
    std::sscanf(quota.c_str(), "%lf %lf", &q, &p);
  } else if (Lines(directory + "/cpu.cfs_quota_us").next(&quota) &&
             Lines(directory + "/cpu.cfs_period_us").next(&period)) {
    q = std::atof(quota.c_str());
    p = std::atof(period.c_str());
  }
  return q > 0 && p > 0 ? q / p : INFINITY;
}

// The tightest quota on the way from this process's cgroup to the root: limits of parents bind their
// children. /proc/self/cgroup has lines «id:controllers:path»; version 2 is the line without controllers.
double cores_by_quota() {
  double tightest = INFINITY;
  Lines file("/proc/self/cgroup");
  for (std::string line; file.next(&line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controllers;
    for (;;) {
      tightest = std::min(tightest, quota_of(root + path));
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return tightest;
}

int count_cores() {
  int cores = cores_by_affinity();
  if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  // A quota of 1.5 cores is worth two threads: they run in bursts, and rounding down would leave time unused.
  const double quota = std::ceil(cores_by_quota());
  return quota < cores ? static_cast<int>(quota) : cores;
}

#elif defined(__APPLE__)

int count_cores() {
  // Efficiency cores would be the last to finish their share, so only performance cores count where there are
  // two kinds.
  for (const char* name : {"hw.perflevel0.physicalcpu", "hw.physicalcpu"}) {
    int cores = 0;
    size_t bytes = sizeof cores;
    if (sysctlbyname(name, &cores, &bytes, nullptr, 0) == 0 && cores > 0) return cores;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

#elif defined(_WIN32)

int count_cores() {
  DWORD_PTR allowed = 0, system = 0;
  DWORD bytes = 0;
  GetProcessAffinityMask(GetCurrentProcess(), &allowed, &system);
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> entries(bytes /
                                                            sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  int cores = 0;
  if (!entries.empty() && GetLogicalProcessorInformation(entries.data(), &bytes)) {
    for (const auto& entry : entries) {
      if (entry.Relationship == RelationProcessorCore && (entry.ProcessorMask & allowed) != 0) ++cores;
    }
  }
  return cores > 0 ? cores : static_cast<int>(std::thread::hardware_concurrency());
}

#else

int count_cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

#endif

}  // namespace

int available_cores() { return std::max(1, count_cores()); }

}  // namespace convmat
