# libnearshelf (static and shared, with its packages) and the program nearshelf.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(CLIENT_BASE ${CMAKE_SOURCE_DIR}/engine/base)

# All code of the library, what it uses of base and wire included: it installs as one file.
add_library(client_objects OBJECT
  client.c client_call.c client_link.c client_params.c client_reply.c client_retry.c
  client_socket.c client_value.c frame.c ${CLIENT_BASE}/check.c ${CLIENT_BASE}/rng.c)
target_link_libraries(client_objects
  PRIVATE base wire nearshelf_flags
  PUBLIC PkgConfig::UV PkgConfig::MSGPACK m)
target_include_directories(client_objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
# Not for link-time optimization: the static library is one linked object (below).
set_target_properties(client_objects PROPERTIES
  C_VISIBILITY_PRESET hidden INTERPROCEDURAL_OPTIMIZATION OFF)

function(client_face target)
  target_link_libraries(${target} PRIVATE PkgConfig::UV PkgConfig::MSGPACK m)
  target_sources(${target} PUBLIC FILE_SET HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR} FILES nearshelf.h)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME nearshelf)
endfunction()

add_library(nearshelf_shared SHARED $<TARGET_OBJECTS:client_objects>)
client_face(nearshelf_shared)
set_target_properties(nearshelf_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME nearshelf)
if(NEARSHELF_SANITIZE)
  target_link_options(nearshelf_shared PRIVATE -fsanitize=${NEARSHELF_SANITIZE})
endif()

add_library(nearshelf_static STATIC $<TARGET_OBJECTS:client_objects>)
client_face(nearshelf_static)
if(NOT NEARSHELF_SANITIZE)
  # One object in which only nearshelf_... is global: the names inside are nobody's business.
  add_custom_command(TARGET nearshelf_static POST_BUILD VERBATIM
    COMMAND ${CMAKE_LINKER} -r -o nearshelf_whole.o --whole-archive $<TARGET_FILE:nearshelf_static>
    COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=nearshelf_* nearshelf_whole.o
    COMMAND ${CMAKE_COMMAND} -E rm $<TARGET_FILE:nearshelf_static>
    COMMAND ${CMAKE_AR} rcs $<TARGET_FILE:nearshelf_static> nearshelf_whole.o)
endif()

install(TARGETS nearshelf_shared nearshelf_static EXPORT nearshelf
  COMPONENT client
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client)
install(EXPORT nearshelf FILE nearshelfTargets.cmake NAMESPACE nearshelf::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nearshelf COMPONENT client)
configure_package_config_file(nearshelfConfig.cmake.in nearshelfConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nearshelf)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/nearshelfConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nearshelfConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/nearshelfConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nearshelf COMPONENT client)
# Relative to the file itself, so that an installation can be moved.
file(RELATIVE_PATH CLIENT_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(nearshelf.pc.in nearshelf.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nearshelf.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT client)

# The program: thin over the library; CSV is a part of its own for its tests.
nearshelf_library(NAME cli_csv SOURCES cli_csv.c HEADERS cli_csv.h DEPS base wire)
nearshelf_program(NAME nearshelf
  SOURCES cli.c cli_args.c cli_call.c cli_folder.c cli_help.c cli_import.c cli_import_check.c
    cli_import_columns.c cli_import_send.c cli_json.c cli_out.c cli_route.c cli_stat.c cli_tail.c
  DEPS nearshelf_static cli_csv wire base config limits folder_tool PkgConfig::JANSSON)
install(TARGETS nearshelf RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT client)
