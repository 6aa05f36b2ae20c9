#include "source/extensions/filters/http/file_server/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "source/base/percent.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

constexpr int kRead = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
// The kernel asks for another try where something is being renamed.
constexpr int kTries = 8;

Opened failed(int error) {
  Opened out;
  out.error = error;
  return out;
}

Opened look(net::Fd fd) {
  Opened out;
  out.fd = std::move(fd);
  if (fstat(out.fd.get(), &out.info) != 0) out.error = errno;
  return out;
}

// With links that stay inside. ENOSYS, or EPERM in a sandbox that does not know the call: that cannot be had.
int openInside(int root, const std::string& path) {
  open_how how{};
  how.flags = kRead;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  for (int i = 0; i < kTries && fd < 0; ++i) {
    fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how));
    if (fd < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  return static_cast<int>(fd);
}

// Without any link, segment by segment.
int openPlain(int root, const std::string& path) {
  net::Fd folder;
  int at = root;
  for (size_t begin = 0;;) {
    const size_t slash = path.find('/', begin);
    const std::string segment = path.substr(begin, slash - begin);
    if (segment.empty() || segment == "..") {
      errno = EXDEV;
      return -1;
    }
    if (slash == std::string::npos) return openat(at, segment.c_str(), kRead | O_NOFOLLOW);
    folder = net::Fd(openat(at, segment.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    at = folder.get();
    if (at < 0) return -1;
    begin = slash + 1;
  }
}

}  // namespace

Opened openBelow(const std::string& root, const std::string& path, Links links) {
  if (path.empty()) {
    net::Fd fd(open(root.c_str(), kRead));
    return fd.get() < 0 ? failed(errno) : look(std::move(fd));
  }
  const net::Fd folder(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return failed(errno);
  int fd = -1;
  if (links == Links::kInside) fd = openInside(folder.get(), path);
  if (links == Links::kNone || (fd < 0 && (errno == ENOSYS || errno == EPERM))) fd = openPlain(folder.get(), path);
  if (fd < 0) return failed(errno);
  return look(net::Fd(fd));
}

bool readRelativePath(std::string_view raw, RelativePath& out) {
  out = {};
  while (!raw.empty()) {
    const size_t slash = raw.find('/');
    const std::string segment = base::percentDecoded(raw.substr(0, slash));
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (segment.find('/') != std::string::npos || segment.find('\0') != std::string::npos) return false;
    if (!out.path.empty()) out.path += '/';
    out.path += segment;
    out.slash = slash != std::string_view::npos;
    raw.remove_prefix(out.slash ? slash + 1 : raw.size());
  }
  return true;
}

}  // namespace sluice::extensions::http_filters::file_server
