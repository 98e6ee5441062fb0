# What agent 1.8.1 says of AppSpec files: ruby agent1.rb SOURCE FOLDER
# SOURCE is a checkout of the agent. Prints for each file of FOLDER, by name, `accept` or the class of Ruby's error.
require 'yaml'

source, folder = ARGV
$LOAD_PATH.unshift File.join(source, 'lib')
# The parser asks the agent's platform which operating systems it supports, and nothing else.
module InstanceAgent
  class Platform
    def self.util = self
    def self.supported_oses = ['linux']
  end
end
parts = 'instance_agent/plugins/codedeploy/application_specification/'
require parts + 'application_specification'
%w[acl_info ace_info context_info range_info].each { |name| require parts + name }
parser = InstanceAgent::Plugins::CodeDeployPlugin::ApplicationSpecification::ApplicationSpecification

Dir.children(folder).sort.each do |name|
  parser.parse(File.binread(File.join(folder, name)).force_encoding('UTF-8'))
  puts "#{name} accept"
rescue Exception => error # the agent's own is none of the standard errors
  puts "#{name} #{error.class.name.split('::').last}"
end
