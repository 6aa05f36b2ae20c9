#include "source/extensions/filters/http/file_server/listing.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "source/base/html.h"
#include "source/base/percent.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

struct Close {
  void operator()(DIR* folder) const { closedir(folder); }
};

// Folders end in a slash.
std::optional<std::vector<std::string>> namesIn(net::Fd fd) {
  const std::unique_ptr<DIR, Close> folder(fdopendir(fd.get()));
  if (!folder) return std::nullopt;
  (void)fd.release();
  std::vector<std::string> out;
  for (errno = 0; const dirent* entry = readdir(folder.get());) {
    if (entry->d_name[0] == '.') continue;
    if (out.size() == kMostListed) return std::nullopt;
    out.emplace_back(entry->d_name);
    if (entry->d_type == DT_DIR) out.back() += '/';
  }
  if (errno != 0) return std::nullopt;
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::optional<std::string> listFolder(net::Fd folder, std::string_view path) {
  const auto names = namesIn(std::move(folder));
  if (!names) return std::nullopt;
  const std::string here = base::htmlEscaped(path);
  std::string out =
      "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" + here + "</title></head><body><ul>\n";
  for (const std::string& name : *names) {
    const bool is_folder = name.back() == '/';
    const std::string link = base::percentEncoded(std::string_view(name).substr(0, name.size() - is_folder));
    out += "<li><a href=\"" + here + link + (is_folder ? "/" : "") + "\">" + base::htmlEscaped(name) + "</a></li>\n";
  }
  return out + "</ul></body></html>\n";
}

}  // namespace sluice::extensions::http_filters::file_server
