-- Run by the database image at its first start: one database a service, and the key ring's own.
CREATE DATABASE intake;
CREATE DATABASE assessment;
CREATE DATABASE payment;
CREATE DATABASE notify;
CREATE DATABASE ops;
CREATE DATABASE keys;
