# Writes the page's files (web/dist), plain and compressed, as arrays of a C++ file:
#   cmake -DDIST=web/dist -DOUT=page_files.cc -P cmake/embed_page.cmake
# The same files give the same bytes wherever and whenever this runs.
cmake_policy(VERSION 3.25)
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_txt "text/plain; charset=utf-8")

function(to_array name hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(arrays "${arrays}constexpr unsigned char ${name}[] = {${bytes}};\n" PARENT_SCOPE)
endfunction()

file(GLOB files ${DIST}/*)
list(SORT files)
set(arrays "")
set(table "")
set(i 0)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  file(READ ${file} plain HEX)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 20 hash)
  file(ARCHIVE_CREATE OUTPUT ${OUT}.gz PATHS ${file} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  file(READ ${OUT}.gz gzip HEX)
  file(REMOVE ${OUT}.gz)
  # Bytes 4 to 7 are the time of compression.
  string(SUBSTRING ${gzip} 0 8 before)
  string(SUBSTRING ${gzip} 16 -1 after)
  to_array(kPlain${i} "${plain}")
  to_array(kGzip${i} "${before}00000000${after}")
  if(name STREQUAL "index.html")
    set(name "")
  endif()
  string(APPEND table "    {\"/${name}\", \"${type_${extension}}\", Bytes(kPlain${i}), Bytes(kGzip${i}), \"W/\\\"${hash}\\\"\"},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUT} "// Written by cmake/embed_page.cmake from web/dist.
#include \"server/page.h\"

namespace lfm::server {
namespace {

${arrays}
template <size_t n>
std::string_view Bytes(const unsigned char (&bytes)[n]) {
  return {reinterpret_cast<const char*>(bytes), n};
}

}  // namespace

std::span<const PageFile> PageFiles() {
  static const PageFile files[] = {
${table}  };
  return files;
}

}  // namespace lfm::server
")
