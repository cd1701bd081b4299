// The chat page that the program carries: its files (built from web/, see docs/page.md), and the routes that give them.
#pragma once

#include <span>
#include <string_view>

#include "server/http.h"

namespace lfm::server {

struct PageFile {
  std::string_view path;  // as requested: "/", "/app.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view gzip;  // the same, compressed
  std::string_view etag;  // quoted, weak: it stands for both forms
};

// All files, sorted by path. Static, as is what they point to.
std::span<const PageFile> PageFiles();

// The file of a path, or null.
const PageFile* FindPageFile(std::string_view path);

// Answers a GET of one of the files: 304 where If-None-Match has its tag, compressed where the client takes gzip, with
// the headers that confine what a browser does with it (the transport adds nosniff to every answer).
void SendPageFile(const PageFile& file, const HttpRequest& request, Reply& reply);

// Adds a route for each file. They need no key: the page asks for one itself.
void AddPageRoutes(Router& router);

}  // namespace lfm::server
